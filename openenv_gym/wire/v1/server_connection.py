"""One connection at the server: whose sessions it carries, and what waits to be sent on it.

What waits is not copied: an answer is encoded when its frame is made, from the session that keeps it anyway.
So a client that does not read costs its server no memory but the notices, and those are few: the I/O stops
reading from a connection whose notices pile up.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from openenv_gym.wire.messages import ErrorReply
from openenv_gym.wire.v1 import refusals
from openenv_gym.wire.v1.answers import lay_out
from openenv_gym.wire.v1.codecs import Codec, Entry, Frame
from openenv_gym.wire.v1.entries import Kind
from openenv_gym.wire.v1.frame_writer import FrameLimits, FrameWriter
from openenv_gym.wire.v1.hosted_session import HostedSession

_MANY_NOTICES = 1024
_MUCH_HEARD = 4 * 2**20  # bytes: notices may echo what they answer
_OPENED = Kind.OPENED.value  # an enum's members are slow to look up


class ServerConnection:
    """A connection and its outbox.

    Args:
        number: Its place in the order in which connections were accepted.
        codec: Its encoding.
        limits: What one frame may hold.

    Attributes:
        number: See above.
        codec: See above.
        sessions: The sessions that it carries.
    """

    def __init__(self, number: int, codec: Codec, limits: FrameLimits) -> None:
        self.number = number
        self.codec = codec
        self.sessions: set[HostedSession] = set()
        self._limits = limits
        self._answers: OrderedDict[HostedSession, None] = OrderedDict()  # each once, first come first sent
        self._notices: deque[Entry] = deque()
        self._heard = 0  # bytes, since no notice waited

    @property
    def is_clogged(self) -> bool:
        """Whether its client should read before it is read from again."""
        return len(self._notices) >= _MANY_NOTICES or self._heard >= _MUCH_HEARD

    def hear(self, length: int) -> None:
        """Count a frame that has been taken in."""
        self._heard = self._heard + length if self._notices else 0

    def answer(self, session: HostedSession) -> None:
        """Send a session's last answer, again if need be."""
        self._answers[session] = None

    def retract(self, session: HostedSession) -> None:
        """Do not send a session's answer here."""
        self._answers.pop(session, None)

    def notify(self, entry: Entry) -> None:
        """Send an entry that is nobody's answer."""
        self._notices.append(entry)

    def next_frame(self, free: int) -> Frame | None:
        """Make the next frame to send; ``None`` when nothing waits.

        Args:
            free: Slots free at the moment, for replies to ``open``.
        """
        writer = FrameWriter(self.codec, self._limits)
        has_room = True
        while has_room and self._answers:
            session, _ = self._answers.popitem(last=False)
            has_room = writer.add(self._encode_answer(session, free))
        while has_room and self._notices:
            has_room = writer.add(self._encode_notice(self._notices.popleft()))
        if not self._notices:
            self._heard = 0
        return writer.frame()

    def _encode_answer(self, session: HostedSession, free: int) -> bytes:
        """Encode an answer; one that cannot be sent is replaced by an error, for good."""
        answer = session.answer
        if answer is None:
            return self.codec.encode((session.id, session.seq, _OPENED, free))
        try:
            data = self.codec.encode((session.id, session.seq, *lay_out(answer)))
        except (TypeError, ValueError) as error:
            why = str(error)
        else:
            limit = self._limits.max_entry_bytes
            if len(data) <= limit:
                return data
            why = f"it takes {len(data)} bytes, and this server's frames carry {limit}"
        last = isinstance(answer, ErrorReply) and answer.ends_session
        session.answer = instead = refusals.unsendable(why, last=last)
        return self.codec.encode((session.id, session.seq, *lay_out(instead)))

    def _encode_notice(self, entry: Entry) -> bytes:
        try:
            data = self.codec.encode(entry)
        except (TypeError, ValueError):
            data = b""
        if 0 < len(data) <= self._limits.max_entry_bytes:
            return data
        session, seq, kind, _ = entry  # an end, or an echo, with an impossible payload
        reply = refusals.unsendable("it does not fit", last=kind == Kind.GONE)
        return self.codec.encode((session, seq, *lay_out(reply)))
