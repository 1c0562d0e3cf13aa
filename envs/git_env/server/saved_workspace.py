"""SavedWorkspace: a workspace as it was, kept on disk until nothing refers to it any more."""

from __future__ import annotations

import secrets
import weakref
from dataclasses import dataclass
from pathlib import Path

from git_env.server.checkouts import Checkout
from git_env.server.shared_state import SharedState
from git_env.server.tree_copy import Owner, TreeCopy


@dataclass(frozen=True, eq=False)
class SavedWorkspace:
    """What `SessionWorkspace.save` makes and `SessionWorkspace.load` takes.

    Attributes:
        files: All that lay in it.
        checkouts: The repositories in it.
        trusted: Those whose configuration was found to be harmless.
        written_bytes: What the agent had written.
        disk_full: Whether the workspace was full.
    """

    files: SavedFiles
    checkouts: tuple[Checkout, ...]
    trusted: frozenset[str]
    written_bytes: int
    disk_full: bool


class SavedFiles:
    """A copy of a workspace's files that shares git's objects with it; removed when it is collected.

    Args:
        shared: What the sessions share.
        root: The workspace.
        checkouts: The repositories in it.
        max_bytes: Bytes that the copy may take.

    Attributes:
        directory: Where it lies.
        bytes: What it takes.

    Raises:
        Refusal: It would take more.
    """

    def __init__(
        self, shared: SharedState, root: Path, checkouts: tuple[Checkout, ...], *, max_bytes: int
    ) -> None:
        shared.pool.sweep()
        self.directory = shared.snapshots / secrets.token_hex(8)
        self.directory.mkdir()
        self._objects = {(checkout.name, ".git", "objects") for checkout in checkouts}
        try:
            copy = TreeCopy(root, self.directory, shared=self._objects, max_bytes=max_bytes)
        except BaseException:
            shared.pool.discard(self.directory)
            raise
        self.bytes = copy.bytes
        weakref.finalize(self, shared.pool.abandon, self.directory).atexit = False

    def copy_to(self, root: Path, owner: Owner | None) -> None:
        """Copy them into an empty workspace, whose owner they are given to.

        Raises:
            OSError: They cannot be copied; it holds a part of them.
        """
        TreeCopy(self.directory, root, shared=self._objects, max_bytes=2 * self.bytes, owner=owner)
