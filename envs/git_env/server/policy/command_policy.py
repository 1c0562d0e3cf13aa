"""From an agent's command line to the git arguments that may run, or a refusal.

The text is split as a shell would split it and never given to one. Only listed subcommands with listed
options get through (command_table.py); aliases cannot expand because unknown words never reach git.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from git_env.server.policy.command_grammar import Arguments, PathChecks, Subcommand, read_arguments
from git_env.server.policy.command_table import REMOTE_SUBCOMMANDS, SUBCOMMANDS
from git_env.server.policy.config_policy import config_arguments
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import refuse_unencodable

MAX_COMMAND_LENGTH = 65_536
MAX_WORDS = 1_000

_HINTS = {
    "clone": 'clone with GitAction(action_type="clone_repo", repo_name=...)',
    "init": 'get a repository with GitAction(action_type="clone_repo", repo_name=...)',
    "submodule": "submodules are not populated here",
    "worktree": 'a second working tree: GitAction(action_type="clone_repo", repo_name=..., target_dir=...)',
    "gc": "repositories are maintained by the environment",
}
# Before the subcommand: harmless because output never goes to a pager anyway.
_IGNORED_GLOBALS = frozenset({"--no-pager", "-P", "--no-optional-locks"})


@dataclass(frozen=True)
class ParsedCommand:
    """An agent's command that passed the policy.

    Attributes:
        name: The subcommand.
        argv: Arguments for ``git``, in canonical form, subcommand first.
        arguments: The same, read; None for ``config``.
        writes: Whether it can change the workspace.
        remote: Whether it needs the host's mirror (fetch, pull, push) instead of running as it is.
    """

    name: str
    argv: tuple[str, ...]
    arguments: Arguments | None
    writes: bool
    remote: bool = False


def split_command(command: str) -> list[str]:
    """The words of ``command``, without a leading ``git``.

    Raises:
        Refusal: Too long, unbalanced quotes, or nothing in it.
    """
    if len(command) > MAX_COMMAND_LENGTH:
        raise Refusal(f"the command is longer than {MAX_COMMAND_LENGTH} characters")
    refuse_unencodable(command)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Refusal(f"the command cannot be split into words: {error}") from None
    if words[:1] == ["git"]:
        words = words[1:]
    while words and words[0] in _IGNORED_GLOBALS:
        words = words[1:]
    if not words:
        raise Refusal('no git command given; for example: command="status"')
    if len(words) > MAX_WORDS:
        raise Refusal(f"the command has more than {MAX_WORDS} words")
    return words


def parse_command(command: str, checks: PathChecks) -> ParsedCommand:
    """Judge one command line.

    Args:
        command: As the agent wrote it, with or without the leading word ``git``.
        checks: Judges of arguments that may be paths.

    Raises:
        Refusal: It may not run; the message says why, and what may.
    """
    name, *words = split_command(command)
    if name == "--version":
        name = "version"
    if name.startswith("-"):
        raise Refusal(
            f"options before the subcommand ({name}) are not allowed; working_dir sets the directory"
        )
    if name == "config":
        settings, writes = config_arguments(words)
        return ParsedCommand(name, (name, *settings), None, writes)
    spec = SUBCOMMANDS.get(name) or REMOTE_SUBCOMMANDS.get(name)
    if spec is None:
        raise Refusal(f"git {name} is not available here; {_HINTS.get(name) or _available()}")
    prefix = [name]
    if spec.actions:
        action, spec, words = _choose_action(name, spec, words)
        prefix += [action] if action else []
    arguments = read_arguments(f"git {' '.join(prefix)}", spec, words, checks)
    argv = (*prefix, *spec.forced, *arguments.canonical())
    return ParsedCommand(name, argv, arguments, spec.writes, remote=name in REMOTE_SUBCOMMANDS)


def _choose_action(name: str, spec: Subcommand, words: list[str]) -> tuple[str, Subcommand, list[str]]:
    """Split ``stash pop`` into its action and the words that remain."""
    if words and words[0] in spec.actions:
        return words[0], spec.actions[words[0]], words[1:]
    plain = not words or words[0].startswith("-")
    # `git reflog main` means `git reflog show main`; a word that is neither is refused by git itself there.
    if spec.default_action is not None and (plain or name == "reflog"):
        return spec.default_action, spec.actions[spec.default_action], words
    known = ", ".join(action for action in spec.actions if action)
    given = f"{name} {words[0]}" if words else name
    raise Refusal(f"git {given} is not available here; git {name} takes: {known}")


def _available() -> str:
    return f"available: {', '.join(sorted((*SUBCOMMANDS, *REMOTE_SUBCOMMANDS, 'config')))}"
