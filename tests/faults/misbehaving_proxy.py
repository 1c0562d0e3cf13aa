"""A TCP proxy that does to connections what networks do, on command, and counts what it really did."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_TIMEOUT = 60.0
_CHUNK = 65536
_DRIBBLES = 3  # reads that are passed on in pieces
_HEADERS_END = b"\r\n\r\n"


class Fault(Enum):
    """What can be done to one connection, each once."""

    RESET = "both ends are reset (RST)"
    FIN = "both ends are closed in order (FIN)"
    TRUNCATED_REPLY = "cut in the middle of a frame to the client"
    TRUNCATED_REQUEST = "cut in the middle of a frame to the server"
    TRUNCATED_HANDSHAKE = "cut in the middle of the HTTP upgrade"
    GARBAGE_REPLY = "random bytes to the client"
    GARBAGE_REQUEST = "random bytes to the server"
    STALL = "nothing passes for a while, then everything"
    SLOW_READER = "the client's side is not read from for a while"
    DRIBBLE = "bytes pass in small pieces, with pauses"
    HALF_OPEN = "nothing ever passes again, and nobody is told"
    VANISHED_CLIENT = "the client is reset, and the server never told"
    REFUSED = "a new connection is reset at once"


BRIEF = (
    Fault.RESET,
    Fault.FIN,
    Fault.TRUNCATED_REPLY,
    Fault.TRUNCATED_REQUEST,
    Fault.TRUNCATED_HANDSHAKE,
    Fault.GARBAGE_REPLY,
    Fault.GARBAGE_REQUEST,
    Fault.VANISHED_CLIENT,
    Fault.REFUSED,
)
"""Faults that cost a connection and little time."""

LONG = (Fault.STALL, Fault.SLOW_READER, Fault.DRIBBLE)
"""Faults that cost time."""


class _Pipe:
    """One direction of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.truncate = self.garbage = False
        self.dribbles = 0
        self.carried = 0


class _Passage:
    """One connection through the proxy."""

    def __init__(self, proxy: MisbehavingProxy, up: _Pipe, down: _Pipe) -> None:
        self._proxy = proxy
        self._rng = proxy.rng
        self.up, self.down = up, down
        self.upgraded = False
        self.cursed = False  # a fault is under way

    @property
    def is_sound(self) -> bool:
        """Whether frames have passed both ways, and no fault is under way."""
        return self.upgraded and not self.cursed and self.up.carried > 0 and self.down.carried > 0

    async def carry(self) -> None:
        """Pass bytes on until either side ends or a fault cuts."""
        directions = [asyncio.create_task(self._pump(pipe)) for pipe in (self.up, self.down)]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            self.cut(reset=False)

    async def _pump(self, pipe: _Pipe) -> None:
        with contextlib.suppress(OSError):
            while data := await pipe.reader.read(_CHUNK):
                await pipe.flowing.wait()
                if not self.upgraded:
                    if not self._pass_handshake(pipe, data):
                        return
                elif not await self._pass_frames(pipe, data):
                    return
                await pipe.writer.drain()
        await pipe.flowing.wait()  # a connection that is silent does not tell of its end either

    def _pass_handshake(self, pipe: _Pipe, data: bytes) -> bool:
        if pipe is self.down:
            armed = self._proxy.take_armed()
            if armed:
                pipe.writer.write(data[: self._rng.randrange(1, len(_HEADERS_END) + 10)])
                self._proxy.injected[Fault.TRUNCATED_HANDSHAKE] += 1
                return False
            self.upgraded = _HEADERS_END in data
        pipe.writer.write(data)
        return True

    async def _pass_frames(self, pipe: _Pipe, data: bytes) -> bool:
        if pipe.truncate:
            # The first byte alone, or all but the last: both are in the middle of a frame for sure.
            pipe.writer.write(data[: self._rng.choice([1, -1])] if len(data) > 1 else b"")
            self._count(pipe, Fault.TRUNCATED_REQUEST, Fault.TRUNCATED_REPLY)
            return False
        if pipe.garbage:
            pipe.garbage = False
            pipe.writer.write(b"\xff" + self._rng.randbytes(40))  # no WebSocket frame begins so
            self._count(pipe, Fault.GARBAGE_REQUEST, Fault.GARBAGE_REPLY)
        pipe.carried += len(data)
        if pipe.dribbles:
            if pipe.dribbles == _DRIBBLES:
                self._proxy.injected[Fault.DRIBBLE] += 1
            pipe.dribbles -= 1
            await self._dribble(pipe, data)
        else:
            pipe.writer.write(data)
        return True

    def _count(self, pipe: _Pipe, upward: Fault, downward: Fault) -> None:
        self._proxy.injected[upward if pipe is self.up else downward] += 1

    async def _dribble(self, pipe: _Pipe, data: bytes) -> None:
        for begin in range(0, min(len(data), 60), 3):
            pipe.writer.write(data[begin : begin + 3])
            await asyncio.sleep(0.001)
        pipe.writer.write(data[60:])

    # --- faults ----------------------------------------------------------------------------------------

    def inflict(self, fault: Fault, seconds: float) -> bool:
        """Begin a fault; returns whether it is done with that (others are counted when they happen)."""
        self.cursed = True
        match fault:
            case Fault.RESET | Fault.FIN:
                self.cut(reset=fault is Fault.RESET)
            case Fault.VANISHED_CLIENT:
                self._silence()
                _reset(self.down.writer)
            case Fault.HALF_OPEN:
                self._silence()
            case Fault.TRUNCATED_REPLY:
                self.down.truncate = True
                return False
            case Fault.TRUNCATED_REQUEST:
                self.up.truncate = True
                return False
            case Fault.GARBAGE_REPLY:
                self.down.garbage = True
                return False
            case Fault.GARBAGE_REQUEST:
                self.up.garbage = True
                return False
            case Fault.DRIBBLE:
                self._rng.choice([self.up, self.down]).dribbles = _DRIBBLES
                self._relent_after(seconds)
                return False
            case Fault.STALL:
                self._hold(self.up, self.down)
                self._relent_after(seconds)
            case Fault.SLOW_READER:
                self._hold(self.down)
                self._relent_after(seconds)
        return True

    def cut(self, *, reset: bool) -> None:
        """End both ends."""
        for pipe in (self.up, self.down):
            if reset:
                _reset(pipe.writer)
            else:
                pipe.writer.close()

    def _silence(self) -> None:
        """Pass nothing on for good, the end of either side included."""
        self._proxy.keep_open(self)
        for pipe in (self.up, self.down):
            pipe.flowing.clear()

    def _hold(self, *pipes: _Pipe) -> None:
        for pipe in pipes:
            pipe.flowing.clear()

    def _relent_after(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._relent)

    def _relent(self) -> None:
        self.cursed = False
        for pipe in (self.up, self.down):
            pipe.flowing.set()


class MisbehavingProxy:
    """Forwards connections to one server; use as a context manager.

    Args:
        target: The server's URL.
        seed: Of what is left to chance.

    Attributes:
        base_url: Where clients connect instead of to the server.
        injected: How often each fault has really happened.
        rng: Draws what is left to chance.
    """

    def __init__(self, target: str, seed: int = 0) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self.rng = random.Random(seed)
        self.injected: Counter[Fault] = Counter()
        self._passages: list[_Passage] = []
        self._kept: list[_Passage] = []
        self._armed: Counter[Fault] = Counter()
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._serving: set[asyncio.Task[None]] = set()
        self._server = self.run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = _TIMEOUT) -> T:
        """Run a coroutine on the proxy's loop, where it may inflict."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def refuse(self, refusing: bool = True) -> None:
        """Reset every new connection."""
        self._refusing = refusing

    def __enter__(self) -> MisbehavingProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.run(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT)
        self._loop.close()

    # --- faults, on the loop ----------------------------------------------------------------------------

    def inflict(self, fault: Fault, seconds: float) -> bool:
        """Begin a fault on a connection in use; returns whether there was one.

        Args:
            fault: The fault; it counts in `injected` when it has happened.
            seconds: How long it lasts, for those that end.
        """
        sound = [passage for passage in self._passages if passage.is_sound]
        if not sound:
            return False
        if fault in (Fault.REFUSED, Fault.TRUNCATED_HANDSHAKE):
            self._armed[fault] += 1
            fault = Fault.RESET  # so that there is a new connection soon
        if self.rng.choice(sound).inflict(fault, seconds):
            self.injected[fault] += 1
        return True

    def take_armed(self) -> bool:
        """Whether the present handshake is one to truncate."""
        return self._take(Fault.TRUNCATED_HANDSHAKE)

    def _take(self, fault: Fault) -> bool:
        armed = self._armed[fault] > 0
        self._armed[fault] -= armed
        return armed

    def keep_open(self, passage: _Passage) -> None:
        """Leave a connection's sockets as they are until the proxy ends."""
        self._kept.append(passage)

    # --- connections -----------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing or self._take(Fault.REFUSED):
            self.injected[Fault.REFUSED] += 1
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        passage = _Passage(self, _Pipe(reader, server_writer), _Pipe(server_reader, writer))
        self._passages.append(passage)
        try:
            await passage.carry()
        finally:
            self._passages.remove(passage)

    async def _shut_down(self) -> None:
        self._server.close()
        for passage in [*self._passages, *self._kept]:
            passage.cut(reset=True)
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving, timeout=_TIMEOUT)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
