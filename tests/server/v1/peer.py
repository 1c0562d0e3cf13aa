"""A raw client of ``openenv-gym.v1``: entries as they are, so that odd ones can be sent too."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from openenv_gym.wire.v1.codecs import SUBPROTOCOLS, codec_for
from openenv_gym.wire.v1.entries import Greeting, ReplyEntry, read_greeting
from tests.servers import LiveServer

_numbers = itertools.count()
_PATIENCE = 30.0


def new_id() -> str:
    """Make a session id, unguessable enough for tests."""
    return f"session-{next(_numbers):012d}"


class Peer:
    """One connection.

    Attributes:
        connection: The WebSocket.
        greeting: The server's.
    """

    def __init__(self, connection: ClientConnection) -> None:
        assert connection.subprotocol is not None
        self.connection = connection
        self._codec = codec_for(connection.subprotocol)
        self._seen: list[ReplyEntry] = []
        (greeting,) = self.frame()
        self.greeting: Greeting = read_greeting(greeting)

    def send(self, *entries: tuple[Any, ...]) -> None:
        """Send entries as one frame."""
        self.connection.send(self._codec.join([self._codec.encode(entry) for entry in entries]))

    def frame(self, timeout: float = _PATIENCE) -> list[ReplyEntry]:
        """Receive one frame."""
        return self._codec.decode_replies(self.connection.recv(timeout=timeout))

    def reply(self, session: str, seq: int) -> ReplyEntry:
        """Receive the reply to a request; what else comes meanwhile is kept."""
        while True:
            for entry in self._seen:
                if (entry.session, entry.seq) == (session, seq):
                    self._seen.remove(entry)
                    return entry
            self._seen += self.frame()

    def ask(self, session: str, seq: int, op: str, payload: Any = None, timeout: Any = None) -> ReplyEntry:
        """Send one request and receive its reply."""
        self.send((session, seq, op, payload, timeout))
        return self.reply(session, seq)

    def open(self, count: int = 1) -> list[str]:
        """Open sessions and reset them; the next seq is 2."""
        sessions = [new_id() for _ in range(count)]
        for seq, op, kind in ((0, "open", "opened"), (1, "reset", "outcome")):
            self.send(*((session, seq, op) for session in sessions))
            for session in sessions:
                assert self.reply(session, seq).kind == kind
        return sessions

    def step(self, session: str, seq: int, message: str, timeout: float | None = None) -> ReplyEntry:
        return self.ask(session, seq, "step", {"message": message}, timeout)

    def error(self, session: str, seq: int) -> Error:
        """Receive the error that a request gets."""
        return as_error(self.reply(session, seq))

    def closing_code(self) -> int:
        """Read on until the server hangs up."""
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                self.connection.recv(timeout=_PATIENCE)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code

    def is_alive(self) -> bool:
        """Say whether the server still answers here."""
        return self.ask("", 7, "ping", "hello").payload == "hello"


class Error(msgspec.Struct):
    """An error as it came; ``gone`` says whether it ended the session."""

    gone: bool
    code: str
    message: str
    details: dict[str, Any]

    @property
    def reason(self) -> Any:
        return self.details.get("reason")


def as_error(entry: ReplyEntry) -> Error:
    assert entry.kind in ("error", "gone"), entry
    return Error(entry.kind == "gone", *entry.payload)


def echo_of(entry: ReplyEntry) -> Any:
    """Read what the parrot said."""
    assert entry.kind == "outcome", entry
    return entry.payload[0]["echo"]


@contextmanager
def peer(server: LiveServer, subprotocol: str = SUBPROTOCOLS[0], **options: Any) -> Iterator[Peer]:
    offered = [Subprotocol(subprotocol)]
    with connect(server.ws_url, subprotocols=offered, proxy=None, compression=None, **options) as connection:
        yield Peer(connection)
