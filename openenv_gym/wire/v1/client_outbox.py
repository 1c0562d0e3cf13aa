"""What a client has to send on the present connection, and how much of it may be under way."""

from __future__ import annotations

from collections import deque

from openenv_gym.wire.v1.codecs import Codec, Frame
from openenv_gym.wire.v1.frame_writer import FrameLimits, FrameWriter
from openenv_gym.wire.v1.tracked_session import TrackedSession


class ClientOutbox:
    """Requests that wait for their frame, and the window they must fit into.

    The window counts the bytes of requests that were sent and are not answered. A request that is larger
    than the window goes when nothing else is under way, so none waits forever.

    Args:
        codec: Joins entries.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._urgent: deque[bytes] = deque()
        self._requests: deque[tuple[TrackedSession, int]] = deque()
        self._under_way = 0

    @property
    def is_empty(self) -> bool:
        """Whether no request waits or is under way."""
        return not self._under_way and not self._requests

    def add(self, session: TrackedSession) -> None:
        """Send a session's request, as soon as the window lets it through."""
        self._requests.append((session, session.seq))

    def add_urgent(self, entry: bytes) -> None:
        """Send an entry that the window does not hold back: a close, a resume or a ping."""
        self._urgent.append(entry)

    def settle(self, session: TrackedSession) -> None:
        """Take a session's request out: it was answered, or its answer is not awaited any more."""
        if session.sent:
            self._under_way -= len(session.entry)
            session.sent = False
        session.entry = b""

    def clear(self) -> None:
        """Forget everything: the connection is gone. The sessions keep their requests."""
        self._urgent.clear()
        self._requests.clear()
        self._under_way = 0

    def next_frame(self, limits: FrameLimits, window: int) -> Frame | None:
        """Make the next frame; ``None`` when nothing may be sent.

        Args:
            limits: What one frame may hold.
            window: Bytes that may be under way.
        """
        writer = FrameWriter(self._codec, limits)
        has_room = True
        while has_room and self._urgent:
            has_room = writer.add(self._urgent.popleft())
        while has_room and self._requests:
            session, seq = self._requests[0]
            if session.entry and session.seq == seq:  # else it was settled while it waited
                under_way = self._under_way + len(session.entry)
                if self._under_way and under_way > window:
                    break
                self._under_way = under_way
                session.sent = session.known = True
                has_room = writer.add(session.entry)
            self._requests.popleft()
        return writer.frame()
