"""What a server's machine is told once: its name, its limits, what its environment offers."""

from __future__ import annotations

from dataclasses import dataclass

from openenv_gym.wire.v1.entries import PROTOCOL_VERSION, Greeting
from openenv_gym.wire.v1.frame_writer import FrameLimits

_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """The terms on which a server keeps sessions. Times are seconds.

    Attributes:
        instance: Names this life of the server; never used before, by any server.
        capacity: Sessions at once.
        lease: How long a session outlives its connection.
        step_timeout: How long a call may take at most.
        open_timeout: How long making an environment may take, once its session has a slot.
        queue_size: Opens that may wait for a slot.
        queue_timeout: How long an open waits for a slot unless its client says otherwise.
        retry_after: When a client that was refused for capacity may sensibly try again.
        tombstone_time: How long the ids of closed sessions are remembered.
        max_tombstones: How many of them are.
        max_frame_bytes: Longest message, in both directions.
        max_entries: Most entries in a message, in both directions.
        window_bytes: Request bytes a client may have unanswered.
        features: Of ``snapshot`` (with ``restore``), ``fork`` and ``render``, what the environment offers.
        siblings: Further servers of the same kind: ports on the same host, or URLs.
        group: What those servers' greetings have in common with this one's, and no others'.
    """

    instance: str
    capacity: int
    lease: float = 60.0
    step_timeout: float = 600.0
    open_timeout: float = 300.0
    queue_size: int = 1024
    queue_timeout: float = 30.0
    retry_after: float = 5.0
    tombstone_time: float = 600.0
    max_tombstones: int = 65536
    max_frame_bytes: int = 16 * _MEBIBYTE
    max_entries: int = 16384
    window_bytes: int = 16 * _MEBIBYTE
    features: tuple[str, ...] = ()
    siblings: tuple[int | str, ...] = ()
    group: str = ""

    @property
    def limits(self) -> FrameLimits:
        """What one frame may hold."""
        return FrameLimits(self.max_frame_bytes, self.max_entries)

    def greeting(self, free: int) -> Greeting:
        """Say the terms to a client.

        Args:
            free: Slots free at the moment.
        """
        return Greeting(
            protocol=PROTOCOL_VERSION,
            instance=self.instance,
            capacity=self.capacity,
            free=free,
            lease=self.lease,
            step_timeout=self.step_timeout,
            open_timeout=self.open_timeout,
            max_frame_bytes=self.max_frame_bytes,
            max_entries=self.max_entries,
            window_bytes=self.window_bytes,
            features=self.features,
            siblings=self.siblings,
            group=self.group,
        )


def within(asked: float | None, limit: float) -> float:
    """Bound what a client asked for by the server's limit; what makes no sense means the limit."""
    return asked if asked is not None and 0 < asked < limit else limit
