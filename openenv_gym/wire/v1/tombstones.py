"""The ids of sessions that are over, so that a late ``open`` does not raise them from the dead."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from openenv_gym.wire.messages import ErrorReply


class Tombstone(NamedTuple):
    """What is remembered of a closed session.

    Attributes:
        expires: When it is forgotten.
        seq: The number of its last request.
        answer: How that request was answered, if it was the one that ended the session.
    """

    expires: float
    seq: int
    answer: ErrorReply | None


class Tombstones:
    """A bounded memory of closed ids.

    Args:
        keep: Seconds each is remembered.
        limit: How many at most; the oldest go first.
    """

    def __init__(self, keep: float, limit: int) -> None:
        self._keep = keep
        self._limit = limit
        self._graves: OrderedDict[str, Tombstone] = OrderedDict()

    def __len__(self) -> int:
        return len(self._graves)

    def bury(self, now: float, session: str, seq: int, answer: ErrorReply | None) -> None:
        """Remember a session's end."""
        self._forget(now)
        self._graves.pop(session, None)
        self._graves[session] = Tombstone(now + self._keep, seq, answer)
        if len(self._graves) > self._limit:
            self._graves.popitem(last=False)

    def find(self, now: float, session: str) -> Tombstone | None:
        """Look a session up."""
        self._forget(now)
        return self._graves.get(session)

    def _forget(self, now: float) -> None:
        while self._graves:
            oldest = next(iter(self._graves))
            if self._graves[oldest].expires > now:
                break
            del self._graves[oldest]
