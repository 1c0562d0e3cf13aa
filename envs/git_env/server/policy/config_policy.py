"""``git config`` for agents: read the repository's own settings, change a few harmless ones.

Most of git's settings name programs to run, so keys are listed by name, and the file is never chosen by
the agent.
"""

from __future__ import annotations

import re

from git_env.server.policy.refusal import Refusal

_WRITABLE = frozenset(
    {
        "user.name",
        "user.email",
        "pull.rebase",
        "pull.ff",
        "merge.ff",
        "merge.conflictstyle",
        "push.default",
        "push.autosetupremote",
        "rebase.autostash",
        "rebase.autosquash",
        "core.quotepath",
        "log.date",
        "log.decorate",
        "status.short",
        "status.branch",
        "diff.algorithm",
    }
)
_BRANCH_KEY = re.compile(r"branch\.[^\0\n]+\.(merge|rebase|description)\Z", re.IGNORECASE)
_BRANCH_REMOTE = re.compile(r"branch\.[^\0\n]+\.remote\Z", re.IGNORECASE)
# What a fresh checkout's file holds besides (fresh_checkout.py).
_OWN = frozenset(
    {
        "core.repositoryformatversion",
        "core.filemode",
        "core.bare",
        "core.logallrefupdates",
        "remote.origin.url",
        "remote.origin.fetch",
    }
)
_READ_OPTIONS = frozenset({"--get", "--get-all", "--list", "-l"})
_OUTSIDE = frozenset({"--global", "--system", "--worktree", "-f", "--file", "--blob", "-e", "--edit"})


def is_writable(key: str) -> bool:
    """Whether an agent may set ``key``."""
    return key.lower() in _WRITABLE or _BRANCH_KEY.match(key) is not None


def is_expected(key: str) -> bool:
    """Whether ``key`` may stand in a workspace's configuration file at all."""
    return is_writable(key) or key.lower() in _OWN or _BRANCH_REMOTE.match(key) is not None


def config_arguments(words: list[str]) -> tuple[list[str], bool]:
    """Read the words after ``git config``.

    Returns:
        The canonical arguments for git, and whether they write.

    Raises:
        Refusal: An option, a key or a file that agents may not use.
    """
    rest = [word for word in words if word != "--local"]
    option = rest.pop(0) if rest and rest[0].startswith("-") else None
    if any(word.startswith("-") and word.partition("=")[0] in _OUTSIDE for word in (option or "", *rest)):
        raise Refusal("only the repository's own configuration exists here; use: git config <key> [<value>]")
    if option in _READ_OPTIONS or (option is None and len(rest) == 1):
        if len(rest) != (0 if option in ("--list", "-l") else 1) or any(w.startswith("-") for w in rest):
            raise Refusal("use: git config --list, or git config --get <key>")
        return ["--local", option or "--get", *rest], False
    if option == "--unset" and len(rest) == 1:
        return ["--local", "--unset", _writable(rest[0])], True
    if option is None and len(rest) == 2:
        return ["--local", _writable(rest[0]), _value(rest[1])], True
    raise Refusal("use: git config --list | --get <key> | --unset <key> | <key> <value>")


def _writable(key: str) -> str:
    if not is_writable(key):
        raise Refusal(
            f"the setting {key!r} cannot be changed here; these can: {', '.join(sorted(_WRITABLE))}"
        )
    return key


def _value(value: str) -> str:
    if value.startswith("-"):
        raise Refusal("a setting's value cannot begin with a dash here")
    return value
