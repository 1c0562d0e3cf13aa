"""The snapshots of one session: a few, under unguessable handles, gone with the session."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason
from openenv_gym.wire.server_session import Place

_MAX_BYTES = 256 * 2**20  # of those snapshots together whose size is known; one pipe frame's limit


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One snapshot.

    Attributes:
        state: What the environment's ``snapshot()`` returned; from a worker process, as bytes.
        place: Where the episode stood.
    """

    state: Any
    place: Place


class SnapshotShelf:
    """Keeps the snapshots that were used last; being restored or forked counts as use.

    Args:
        limit: How many.
    """

    __slots__ = ("_kept", "_limit")  # every session has one, and few ever use it

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[str, Kept] = {}  # the one used last comes last

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> str:
        """Keep a snapshot, dropping others if need be; returns its handle."""
        handle = secrets.token_urlsafe(18)
        self._kept[handle] = kept
        while len(self._kept) > self._limit or self._bytes() > _MAX_BYTES:
            del self._kept[next(iter(self._kept))]
        return handle

    def find(self, handle: object) -> Kept | None:
        """Find a snapshot; ``None`` when there is none of that handle, or no longer."""
        if not isinstance(handle, str) or handle not in self._kept:
            return None
        kept = self._kept[handle] = self._kept.pop(handle)
        return kept

    def clear(self) -> None:
        """Drop them all."""
        self._kept.clear()

    def missing(self, code: ErrorCode) -> ErrorReply:
        """Build the error for a handle that `find` does not find.

        Args:
            code: ``SESSION_ERROR`` refuses a session, ``VALIDATION_ERROR`` a call.
        """
        message = (
            "the session keeps no such snapshot: it is another session's, or it was dropped, for a session "
            f"keeps the {self._limit} that were used last"
        )
        return ErrorReply(code, message, {"reason": Reason.NO_SNAPSHOT.value})

    def _bytes(self) -> int:
        return sum(len(kept.state) for kept in self._kept.values() if isinstance(kept.state, bytes))
