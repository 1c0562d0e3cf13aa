"""Which names users, repositories and revisions may have; everything else never reaches a path or git."""

from __future__ import annotations

import re

from git_env.host.errors import InvalidError, NotFoundError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_RESERVED_SUFFIXES = (".git", ".wiki", ".rss", ".atom", ".lock")
_HASH = re.compile(r"[0-9a-f]{4,64}")
# `git check-ref-format` in one pattern, stricter: no shell or revision syntax survives it.
_REF = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)|@\{))[\w][\w./+@#=-]{0,254}(?<![./])")


def repository_name(name: str) -> str:
    """Return the name of a repository to create.

    Raises:
        InvalidError: Not a name that Gitea would take.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith(_RESERVED_SUFFIXES) or ".." in name:
        raise InvalidError(
            "repository names are 1 to 100 of A-Z a-z 0-9 . _ -, do not start with . or -, hold no '..' "
            f"and do not end in {', '.join(_RESERVED_SUFFIXES)}"
        )
    return name


def user_name(name: str) -> str:
    """Return the name of a user to create.

    Raises:
        InvalidError: Not a name that Gitea would take.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidError("user names are 1 to 100 of A-Z a-z 0-9 . _ - and do not start with . or -")
    return name


def lookup_key(name: str) -> str:
    """Return the folder name under which a user or repository is stored (names ignore case).

    Raises:
        NotFoundError: Nothing can have this name.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise NotFoundError
    return name.lower()


def is_hash(text: str) -> bool:
    """Tell whether ``text`` can be an (abbreviated) object name."""
    return _HASH.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """Tell whether ``text`` is a plain branch or tag name, free of options and revision syntax."""
    return _REF.fullmatch(text) is not None


def name_from_address(address: str) -> str:
    """Suggest a repository name for a clone address or path; its characters are made legal."""
    last = address.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", last).strip(".-")
    return re.sub(r"\.{2,}", ".", name)[:100] or "repository"
