"""One WebSocket that speaks ``openenv-gym.v1``: frames in, frames out, neither waiting for the other."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Send

from openenv_gym.server.multiplexer import Multiplexer
from openenv_gym.wire.v1.codecs import Frame, codec_for
from openenv_gym.wire.v1.entries import FrameError

# WebSocket close codes, RFC 6455 section 7.4.
_PROTOCOL_ERROR = 1002
_TOO_BIG = 1009

_MAX_REASON = 120  # bytes; a close frame has room for 123


class _Hangup(Exception):
    """The server ends the connection; its sessions' leases begin."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class MultiplexedConnection:
    """Carries frames between an accepted WebSocket and the multiplexer.

    Args:
        multiplexer: Whose sessions they concern.
        subprotocol: The one that was agreed.
        max_frame_bytes: Longest frame.
        receive: The connection's ASGI receive.
        send: The connection's ASGI send.
    """

    def __init__(
        self, multiplexer: Multiplexer, subprotocol: str, max_frame_bytes: int, receive: Receive, send: Send
    ) -> None:
        self._multiplexer = multiplexer
        self._codec = codec_for(subprotocol)
        self._max_frame_bytes = max_frame_bytes
        self._receive = receive
        self._send = send
        self._something_to_send = asyncio.Event()
        self._something_sent = asyncio.Event()
        self._number = 0

    async def run(self) -> None:
        """Carry frames until either side hangs up."""
        self._number = self._multiplexer.connect(self._codec, self._something_to_send.set)
        writer = asyncio.create_task(self._write())
        try:
            await self._read(writer)
        except _Hangup as hangup:
            await self._end(writer)
            await self._send({"type": "websocket.close", "code": hangup.code, "reason": hangup.reason})
        finally:
            await self._end(writer)

    async def _end(self, writer: asyncio.Task[None]) -> None:
        if self._number:
            self._multiplexer.disconnect(self._number)
            self._number = 0
        writer.cancel()
        (result,) = await asyncio.gather(writer, return_exceptions=True)
        # ASGI has send raise an OSError once the client has left, which is no news here.
        if isinstance(result, Exception) and not isinstance(result, OSError):
            raise result

    async def _read(self, writer: asyncio.Task[None]) -> None:
        multiplexer, number = self._multiplexer, self._number
        while not writer.done():
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            frame: Frame | None = message.get("bytes")
            if frame is None:
                frame = message["text"]
            self._check_length(frame)
            try:
                multiplexer.receive(number, frame)
            except FrameError as error:
                reason = str(error).encode()[:_MAX_REASON].decode(errors="ignore")
                raise _Hangup(_PROTOCOL_ERROR, reason) from None
            while not multiplexer.accepts(number) and not writer.done():
                self._something_sent.clear()
                await self._something_sent.wait()

    def _check_length(self, frame: Frame) -> None:
        limit = self._max_frame_bytes
        length = len(frame)
        if isinstance(frame, str) and length * 4 > limit:  # a character takes 1 to 4 bytes
            length = len(frame.encode())
        if length > limit:
            raise _Hangup(_TOO_BIG, f"a frame exceeds this server's limit of {limit} bytes")

    async def _write(self) -> None:
        """Send what is ready whenever something is; a turn's answers share a frame."""
        try:
            while True:
                await self._something_to_send.wait()
                self._something_to_send.clear()
                while (frame := self._multiplexer.next_frame(self._number)) is not None:
                    kind = "text" if isinstance(frame, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: frame})
                    self._something_sent.set()
        finally:
            self._something_sent.set()  # a reader that waits for that finds nobody writing
