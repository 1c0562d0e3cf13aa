"""Checkouts: which repositories a workspace holds, and what a directory, path or argument means there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from git_env.server.mirrors import Mirror
from git_env.server.policy.command_grammar import PathChecks
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import (
    WORKSPACE,
    check_real_location,
    refuse_git_components,
    resolve_parts,
)


@dataclass(frozen=True)
class Checkout:
    """A repository in the workspace.

    Attributes:
        name: Its directory below the workspace.
        mirror: Where its objects come from.
    """

    name: str
    mirror: Mirror

    @property
    def path(self) -> str:
        """Its directory as the agent sees it."""
        return f"{WORKSPACE}/{self.name}"


@dataclass(frozen=True)
class WorkingDirectory:
    """Where a command runs.

    Attributes:
        checkout: The repository.
        parts: The directory, as parts below the workspace; the first is the repository's own.
    """

    checkout: Checkout
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """The directory as the agent sees it."""
        return _shown(self.parts)


class Checkouts:
    """Knows the repositories that were put into a workspace; the agent may have removed them since.

    Args:
        root: The real directory behind the workspace.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name: dict[str, Checkout] = {}

    def all(self) -> tuple[Checkout, ...]:
        """Every one, in the order in which they came."""
        return tuple(self._by_name.values())

    def add(self, checkouts: Iterable[Checkout]) -> None:
        """Know them from now on."""
        self._by_name.update((checkout.name, checkout) for checkout in checkouts)

    def clear(self) -> None:
        """Forget them all."""
        self._by_name.clear()

    def new(self, name: str, mirror: Mirror) -> Checkout:
        """One to be made and added, where nothing is yet.

        Raises:
            Refusal: ``name`` is no directory name, or taken.
        """
        parts = resolve_parts(name)
        if len(parts) != 1:
            raise Refusal(f"{name!r} must be one directory directly below {WORKSPACE}")
        checkout = Checkout(parts[0], mirror)
        if os.path.lexists(self._root / checkout.name):
            raise Refusal(f"the directory {checkout.path} already exists")
        return checkout

    def locate(self, working_dir: str) -> WorkingDirectory:
        """Find the repository that a directory belongs to.

        Raises:
            Refusal: It is in none, or does not exist.
        """
        parts = resolve_parts(working_dir)
        checkout = self._by_name.get(parts[0]) if parts else None
        shown = _shown(parts)
        if checkout is None:
            known = ", ".join(sorted(item.path for item in self._by_name.values()))
            hint = f"repositories: {known}" if known else "use clone_repo first"
            raise Refusal(f"{shown} is not in a repository of this workspace; {hint}")
        check_real_location(self._root / checkout.name, parts[1:], shown)
        if not self._root.joinpath(*parts).is_dir():
            raise Refusal(f"there is no directory {shown}")
        return WorkingDirectory(checkout, parts)

    def locate_file(self, path: str) -> str:
        """A file's path as the agent sees it, whether it exists or not.

        Raises:
            Refusal: It is outside the workspace, or in a repository's ``.git``.
        """
        parts = resolve_parts(path)
        if not parts:
            raise Refusal("path must name a file below /workspace")
        shown = _shown(parts)
        check_real_location(self._root, parts, shown)
        return shown

    def path_checks(self, where: WorkingDirectory) -> PathChecks:
        """How arguments of a command that runs in ``where`` are judged."""
        return PathChecks(
            plain=lambda argument: self._check_argument(where, argument, follow=False),
            following=lambda argument: self._check_argument(where, argument, follow=True),
        )

    def _check_argument(self, where: WorkingDirectory, argument: str, *, follow: bool) -> str:
        """A revision or path as git may have it: paths stay inside the repository and out of ``.git``."""
        refuse_git_components(argument)
        components = argument.split("/")
        if argument.startswith("/") or ".." in components:
            parts = resolve_parts(argument, where.parts)
            if parts[:1] != where.parts[:1]:
                raise Refusal(f"{argument!r} is outside the repository {where.checkout.path}")
            argument = _relative(parts, where.parts) + ("/" if argument.endswith("/") else "")
        else:
            parts = (*where.parts, *(part for part in components if part not in ("", ".")))
        located = parts[1:] if follow else parts[1:-1]
        check_real_location(self._root / where.checkout.name, located, argument)
        return argument


def _shown(parts: tuple[str, ...]) -> str:
    return "/".join((WORKSPACE, *parts))


def _relative(parts: tuple[str, ...], start: tuple[str, ...]) -> str:
    """The relative path from one directory to a place, both as parts below the same root."""
    return os.path.relpath(PurePosixPath("/", *parts), PurePosixPath("/", *start))
