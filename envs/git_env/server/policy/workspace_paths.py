"""Which paths an agent may name: inside its workspace, and never under any ``.git``.

An agent always speaks of ``/workspace/...``. Functions here turn that into path parts below the workspace
and look at the real tree only to see where symbolic links lead: an agent can commit a link to ``.git``
and then write "through" it (``git mv -f config link/config`` replaces the repository's configuration).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from git_env.server.policy.refusal import Refusal

WORKSPACE = "/workspace"

# Characters that HFS+ ignores in names, and NTFS's short name: the foldings that git itself refuses
# (its core.protectHFS and core.protectNTFS).
_IGNORABLE = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_SHORT_NAME = re.compile(r"git~[0-9]+\Z")
_MAX_NAME = 255
# Well below the kernel's 4096, which counts the server's own directories too.
_MAX_PATH = 3072
_SEPARATORS = re.compile(r"[/\\]")


def is_git_directory_name(name: str) -> bool:
    """Whether some file system takes ``name`` for ``.git``."""
    folded = name.translate(_IGNORABLE).casefold().partition(":")[0].rstrip(" .")
    return folded == ".git" or _SHORT_NAME.match(folded) is not None


def refuse_git_components(path: str) -> None:
    """Raise `Refusal` when a component of ``path`` is ``.git`` in any spelling."""
    if any(is_git_directory_name(part) for part in _SEPARATORS.split(path)):
        raise Refusal(f"{path!r} is inside a .git directory, which only git itself may touch")


def refuse_unencodable(text: str) -> None:
    """Raise `Refusal` for text that no file name or argument can hold."""
    if "\0" in text:
        raise Refusal("a NUL character cannot be part of a path or a command")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("the text holds half of a surrogate pair, which is not Unicode text") from None


def resolve_parts(path: str, base: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The parts of ``path`` below the workspace.

    Args:
        path: Relative to ``base``, or absolute as the agent sees it (``/workspace/...``).
        base: Parts of the directory that relative paths start from.

    Raises:
        Refusal: It leaves the workspace, or goes into a ``.git``.
    """
    refuse_unencodable(path)
    refuse_git_components(path)
    outside = Refusal(f"{path!r} is outside {WORKSPACE}")
    parts = list(base)
    if path.startswith("/"):
        if path != WORKSPACE and not path.startswith(WORKSPACE + "/"):
            raise outside
        parts, path = [], path[len(WORKSPACE) :]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise outside
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if any(len(part.encode()) > _MAX_NAME for part in parts) or len("/".join(parts).encode()) > _MAX_PATH:
        raise Refusal("the path is too long")
    return tuple(parts)


def check_real_location(root: Path, parts: tuple[str, ...], shown: str) -> None:
    """Refuse a path whose symbolic links lead out of ``root`` or into a ``.git``.

    Args:
        root: Real directory that must hold the target; itself free of symbolic links.
        parts: The path below ``root``; it need not exist.
        shown: The path as the agent wrote it, for the message.

    Raises:
        Refusal: It does.
    """
    real = os.path.realpath(root.joinpath(*parts))
    if real != str(root) and not real.startswith(str(root) + os.sep):
        raise Refusal(f"{shown!r} leads outside through a symbolic link")
    refuse_git_components(os.path.relpath(real, root))
