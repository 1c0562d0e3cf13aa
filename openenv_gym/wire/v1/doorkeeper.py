"""Who gets a slot, who waits for one, and who is told that there is nothing (any more) to be had."""

from __future__ import annotations

from typing import Any

from openenv_gym.wire.messages import ErrorReply
from openenv_gym.wire.v1 import refusals
from openenv_gym.wire.v1.admission import AdmissionQueue, WaitingOpen
from openenv_gym.wire.v1.answers import lay_out
from openenv_gym.wire.v1.entries import MAX_SESSION_ID, MIN_SESSION_ID, FrameError, Kind, RequestEntry, Verb
from openenv_gym.wire.v1.server_terms import ServerTerms, within
from openenv_gym.wire.v1.tombstones import Tombstones

_Fields = tuple[str, Any]  # kind and payload of a reply entry


class Doorkeeper:
    """Answers for every session id that holds no slot: unknown, waiting, or closed.

    Args:
        terms: Capacity, patience, and how long closed ids are remembered.

    Attributes:
        draining: Whether everybody new is turned away.
    """

    def __init__(self, terms: ServerTerms) -> None:
        self.draining = False
        self._terms = terms
        self._queue = AdmissionQueue(terms.queue_size)
        self._tombstones = Tombstones(terms.tombstone_time, terms.max_tombstones)

    def take(self, now: float, connection: int, entry: RequestEntry, free: int) -> _Fields | None:
        """Take an entry that names no session which holds a slot.

        Args:
            now: The time.
            connection: The number of the connection it came on.
            entry: The entry.
            free: Slots free at the moment.

        Returns:
            The reply; ``None`` for an open that waits in the queue now, even if only for `admit`.

        Raises:
            FrameError: Its session id is none.
        """
        session, seq, op = entry.session, entry.seq, entry.op
        if not MIN_SESSION_ID <= len(session) <= MAX_SESSION_ID:
            raise FrameError(f"a session id has {MIN_SESSION_ID} to {MAX_SESSION_ID} characters")
        tombstone = self._tombstones.find(now, session)
        if op == Verb.CLOSE:
            # Buried even if it was never heard of: its ``open`` may still be on the way, on an older
            # connection, and nobody would ever close what it opened.
            self._queue.leave(session)
            if tombstone is None:
                self._tombstones.bury(now, session, seq, None)
            return Kind.CLOSED.value, None
        if session in self._queue and op == Verb.OPEN:
            self._queue.move(session, connection)
            return None
        if tombstone is not None and tombstone.seq == seq and tombstone.answer is not None:
            return lay_out(tombstone.answer)
        if tombstone is not None or op != Verb.OPEN or seq != 0:
            return lay_out(refusals.gone())
        refusal = self._admit_or_refuse(now, connection, entry, free)
        return None if refusal is None else lay_out(refusal)

    def _admit_or_refuse(
        self, now: float, connection: int, entry: RequestEntry, free: int
    ) -> ErrorReply | None:
        terms = self._terms
        patience = within(entry.timeout, terms.queue_timeout)
        waiting = WaitingOpen(entry.session, connection, now + patience)
        if self.draining:
            return refusals.draining(terms.retry_after)
        if entry.payload is not None and (refusal := self._read_fork(entry.payload, waiting)) is not None:
            return refusal
        if self._queue.is_full and (free <= 0 or len(self._queue)):
            return self._full()
        self._queue.join(waiting)
        return None

    def _read_fork(self, payload: Any, waiting: WaitingOpen) -> ErrorReply | None:
        match payload:
            case {"parent": str() as parent, "snapshot": str() as snapshot}:
                waiting.parent, waiting.snapshot = parent, snapshot
                return None if "fork" in self._terms.features else refusals.not_offered_at_all("forks")
        return refusals.gone('the payload of open is null, or {"parent": session, "snapshot": handle}')

    def admit(self) -> WaitingOpen | None:
        """Let the first in the queue in; ``None`` when nobody waits."""
        return self._queue.pop() if len(self._queue) else None

    def bury(self, now: float, session: str, seq: int, answer: ErrorReply | None) -> None:
        """Remember a session that has given its slot back."""
        self._tombstones.bury(now, session, seq, answer)

    def leave_with(self, connection: int) -> None:
        """Let those go whose connection is gone."""
        self._queue.leave_with(connection)

    @property
    def next_deadline(self) -> float | None:
        """When the first in the queue to lose patience does."""
        return self._queue.next_deadline

    def expire(self, now: float) -> list[tuple[WaitingOpen, ErrorReply]]:
        """Turn those away who have waited long enough."""
        return [(waiting, self._full()) for waiting in self._queue.expire(now)]

    def drain(self) -> list[tuple[WaitingOpen, ErrorReply]]:
        """Turn everybody away, from now on."""
        self.draining = True
        reply = refusals.draining(self._terms.retry_after)
        return [(waiting, reply) for waiting in self._queue.expire(float("inf"))]

    def _full(self) -> ErrorReply:
        return refusals.full(self._terms.capacity, len(self._queue), self._terms.retry_after)
