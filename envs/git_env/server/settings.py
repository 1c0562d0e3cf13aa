"""What the person who starts the server chooses, read once from the environment's variables."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import unquote, urlsplit, urlunsplit

from openenv_gym.errors import UsageError

Mechanism = Literal["auto", "bubblewrap", "landlock", "none"]
_MECHANISMS = get_args(Mechanism)
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


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
    sandbox: Mechanism = "auto"
    limits: GitLimits = field(default_factory=GitLimits)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> GitSettings:
        """Read the variables that README.md lists.

        Raises:
            UsageError: A variable has a value that cannot be read; the message names it.
        """
        values = os.environ if environ is None else environ
        url, username, password = _split_url(values.get("GITEA_URL", "").strip())
        limits = GitLimits()
        return cls(
            gitea_url=url,
            username=values.get("GITEA_USERNAME") or username,
            password=values.get("GITEA_PASSWORD") or password,
            imports=tuple(shlex.split(values.get("GIT_IMPORT", ""))),
            workspace_dir=Path(values["WORKSPACE_DIR"]) if values.get("WORKSPACE_DIR") else None,
            tasks=parse_tasks(values.get("TASK_REPOS", "")),
            allow_push=_boolean(values, "GIT_ALLOW_PUSH"),
            prepared=int(_number(values, "GIT_PREPARED", cls.prepared)),
            sandbox=_mechanism(values),
            limits=GitLimits(
                command_seconds=_number(values, "GIT_COMMAND_SECONDS", limits.command_seconds),
                output_bytes=int(_number(values, "GIT_OUTPUT_BYTES", limits.output_bytes)),
                file_bytes=int(_number(values, "GIT_FILE_BYTES", limits.file_bytes)),
                workspace_bytes=int(_number(values, "GIT_WORKSPACE_BYTES", limits.workspace_bytes)),
                memory_bytes=int(_number(values, "GIT_MEMORY_BYTES", limits.memory_bytes)),
                processes=int(_number(values, "GIT_PROCESSES", limits.processes)),
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


def _boolean(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise UsageError(f"{name} must be true or false, not {text!r}")
    return text in _TRUE


def _mechanism(values: Mapping[str, str]) -> Mechanism:
    text = values.get("GIT_SANDBOX") or "auto"
    if text not in _MECHANISMS:
        raise UsageError(f"GIT_SANDBOX must be one of {', '.join(_MECHANISMS)}, not {text!r}")
    return cast(Mechanism, text)


def _number(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name, "").strip()
    try:
        number = float(text) if text else float(default)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{name} must be a positive number, not {text!r}")
    return number
