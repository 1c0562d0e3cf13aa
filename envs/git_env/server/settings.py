"""What the person who starts the server chooses, read once from the environment's variables."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit, urlunsplit

from openenv_gym.errors import UsageError
from openenv_gym.sandbox import MechanismChoice
from openenv_gym.server.variables import Variables


@dataclass(frozen=True)
class Task:
    """A state that episodes start from: a repository at a branch, tag or commit."""

    name: str
    repository: str
    ref: str


@dataclass(frozen=True)
class GitLimits:
    """Bounds on one session; sizes in bytes.

    Attributes:
        command_seconds: Wall-clock time of one command.
        output_bytes: Output kept of one command, and the largest file ``read_file`` returns.
        file_bytes: Largest file a command may write.
        workspace_bytes: All files of a workspace together.
        memory_bytes: Address space of one process.
        processes: Processes at once.
    """

    command_seconds: float = 30.0
    output_bytes: int = 1 << 18
    file_bytes: int = 1 << 28
    workspace_bytes: int = 1 << 30
    memory_bytes: int = 2 << 30
    processes: int = 64


@dataclass(frozen=True)
class GitSettings:
    """Everything a server of the Git environment can be told.

    Attributes:
        gitea_url: The git host's address; None starts the embedded one.
        username: For the host; "" reads public repositories only.
        password: Password or token.
        imports: What the embedded host serves: paths or URLs; empty for its sample repository.
        workspace_dir: Where mirrors and workspaces are kept; None for the system's temporary directory.
        tasks: ``reset(task_id=...)`` by name, in the order given.
        allow_push: Whether agents may push; off, because what one pushes all others see.
        prepared: Fresh checkouts kept ready for one starting state.
        sandbox: Which mechanism confines the commands; "auto" takes the strongest that works here.
        limits: Bounds on each session.
    """

    gitea_url: str | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    imports: tuple[str, ...] = ()
    workspace_dir: Path | None = None
    tasks: Mapping[str, Task] = field(default_factory=dict)
    allow_push: bool = False
    prepared: int = 8
    sandbox: MechanismChoice = "auto"
    limits: GitLimits = field(default_factory=GitLimits)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> GitSettings:
        """Read the variables that README.md lists.

        Raises:
            UsageError: A variable has a value that cannot be read; the message names it.
        """
        variables = Variables(environ)
        url, username, password = _split_url(variables.word("GITEA_URL"))
        workspace_dir = variables.text("WORKSPACE_DIR")
        limits = GitLimits()
        return cls(
            gitea_url=url,
            username=variables.text("GITEA_USERNAME", username),
            password=variables.text("GITEA_PASSWORD", password),
            imports=tuple(shlex.split(variables.text("GIT_IMPORT"))),
            workspace_dir=Path(workspace_dir) if workspace_dir else None,
            tasks=parse_tasks(variables.text("TASK_REPOS")),
            allow_push=variables.flag("GIT_ALLOW_PUSH", cls.allow_push),
            prepared=variables.count("GIT_PREPARED", cls.prepared),
            sandbox=variables.choice("GIT_SANDBOX", cls.sandbox, get_args(MechanismChoice)),
            limits=GitLimits(
                command_seconds=variables.number("GIT_COMMAND_SECONDS", limits.command_seconds),
                output_bytes=variables.count("GIT_OUTPUT_BYTES", limits.output_bytes),
                file_bytes=variables.count("GIT_FILE_BYTES", limits.file_bytes),
                workspace_bytes=variables.count("GIT_WORKSPACE_BYTES", limits.workspace_bytes),
                memory_bytes=variables.count("GIT_MEMORY_BYTES", limits.memory_bytes),
                processes=variables.count("GIT_PROCESSES", limits.processes),
            ),
        )


def parse_tasks(text: str) -> dict[str, Task]:
    """Read ``TASK_REPOS``: ``{"bug_fix": ["my-repo", "abc123"]}``; "" means no tasks.

    Raises:
        UsageError: It is anything else.
    """
    if not text.strip():
        return {}
    form = 'TASK_REPOS must look like {"task": ["repository", "branch, tag or commit"]}'
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{form}; it is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise UsageError(form)
    tasks = {}
    for name, entry in table.items():
        pair = isinstance(entry, list) and len(entry) == 2
        if not pair or not all(isinstance(item, str) and item for item in entry):
            raise UsageError(f"{form}; the entry of {name!r} does not")
        tasks[name] = Task(name, *entry)
    return tasks


def _split_url(url: str) -> tuple[str | None, str, str]:
    """Take ``user:password@`` out of a URL, so that it cannot get into a remote, a log or an error."""
    if not url:
        return None, "", ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("GITEA_URL must be an http:// or https:// URL")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return urlunsplit(bare).rstrip("/"), unquote(parts.username or ""), unquote(parts.password or "")
