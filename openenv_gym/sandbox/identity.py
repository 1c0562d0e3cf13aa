"""Users for sandboxes: where the owner is root, each sandbox's programs get a user id of their own.

Root ignores process limits and permissions, and programs of one user can signal each other; an id that
nobody else has bounds all three. Ids come from a range that Debian keeps unassigned (policy, 9.2.2).
"""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

from openenv_gym.errors import SandboxError

_RANGE = range(40_000, 60_000)


class Identity:
    """The user that programs run as; `release` gives an id of one's own back.

    Attributes:
        uid: User id.
        gid: Group id.
        own: Nobody else has this user id.
    """

    def __init__(self, uid: int, gid: int, holder: socket.socket | None = None) -> None:
        self.uid = uid
        self.gid = gid
        self.own = holder is not None
        self._holder = holder

    @classmethod
    def of_this_process(cls) -> Identity:
        """The owner's own user."""
        return cls(os.geteuid(), os.getegid())

    @classmethod
    def unprivileged(cls) -> Identity:
        """An id of its own when the owner is root, else the owner's.

        Raises:
            SandboxError: There is no free id.
        """
        return _take() if os.geteuid() == 0 else cls.of_this_process()

    def take_over(self, folder: Path) -> None:
        """Make this user the owner of one folder that belongs to root, or to a sandbox that has ended.

        Raises:
            OSError: The folder cannot be given away.
        """
        if self.own and folder.stat().st_uid in (0, *_RANGE):
            os.chown(folder, self.uid, self.gid)

    def release(self) -> None:
        """Let another sandbox have the id. Idempotent."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def _take() -> Identity:
    """An id that no living sandbox on this machine has, and what holds it.

    The name of an abstract Unix socket is taken by one process at a time, and freed when that ends.
    """
    start = random.SystemRandom().randrange(len(_RANGE))
    for offset in range(len(_RANGE)):
        uid = _RANGE[(start + offset) % len(_RANGE)]
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0openenv-gym-sandbox-uid-{uid}")
        except OSError:
            holder.close()
            continue
        return Identity(uid, uid, holder)
    raise SandboxError(f"all {len(_RANGE)} user ids for sandboxes are taken; close some sandboxes")
