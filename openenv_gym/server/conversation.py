"""OpenEnv's dialect over one WebSocket: a session, one call at a time, until either side hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Message, Receive, Send

from openenv_gym.server.mcp import McpService
from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.wire import openenv
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Reason, Reply, Request

logger = logging.getLogger(__name__)

T = TypeVar("T")

_READ_AHEAD = 8  # frames taken off the socket while a call runs; OpenEnv's clients send none

# WebSocket close codes, RFC 6455 section 7.4 and its registry.
_NORMAL = 1000
_TOO_BIG = 1009
_INTERNAL_ERROR = 1011
_TRY_AGAIN_LATER = 1013


class _Hangup(Exception):
    """The server ends the conversation."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _ClientLeft(Exception):
    """The client ended the conversation."""


class Conversation:
    """Speaks OpenEnv's dialect on an accepted WebSocket.

    Reading goes on while a call runs, so that a client which leaves in mid-step is noticed at once and its
    slot freed. Where calls take no time (`Executor.immediate`) reading and answering take turns instead: one
    task switch a step less.

    Args:
        table: Where the session lives.
        mcp: Answers ``mcp`` frames.
        max_frame_bytes: Longest frame.
        receive: The connection's ASGI receive.
        send: The connection's ASGI send.
    """

    def __init__(
        self, table: SessionTable, mcp: McpService, max_frame_bytes: int, receive: Receive, send: Send
    ) -> None:
        self._table = table
        self._mcp = mcp
        self._max_frame_bytes = max_frame_bytes
        self._receive = receive
        self._send = send
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()

    async def run(self, session_id: str | None) -> None:
        """Hold the conversation until it ends.

        Args:
            session_id: An existing session to attach to; ``None`` opens one of the socket's own.
        """
        closing = None
        try:
            session = await self._while_reading(self._obtain(session_id))
            try:
                if session.immediate:
                    await self._take_turns(session)
                else:
                    await self._while_reading(self._answer_all(session))
            finally:
                closing = self._table.detach(session, "its connection is over")
        except _Hangup as hangup:
            if closing is not None:
                # A client that reconnects at once should find the slot free. Bounded by close_timeout.
                await asyncio.shield(closing)
            with contextlib.suppress(OSError):
                await self._send({"type": "websocket.close", "code": hangup.code, "reason": hangup.reason})
        except (_ClientLeft, OSError):
            pass  # ASGI has send raise an OSError once the client has left, which is no news here

    async def _while_reading(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that may take its time while frames are put into the inbox.

        Raises:
            _ClientLeft: The client left; the work was cancelled.
        """
        reader = asyncio.create_task(self._read_ahead())
        worker = asyncio.create_task(work)
        try:
            await asyncio.wait({reader, worker}, return_when=asyncio.FIRST_COMPLETED)
            if worker.done():
                return worker.result()
            reader.result()
            raise _ClientLeft
        finally:
            reader.cancel()
            worker.cancel()
            await asyncio.gather(reader, worker, return_exceptions=True)

    async def _read_ahead(self) -> None:
        """Read until the client leaves."""
        while (message := await self._receive())["type"] != "websocket.disconnect":
            self._inbox.put_nowait(message)
            if self._inbox.qsize() >= _READ_AHEAD:
                await self._inbox.join()

    async def _obtain(self, session_id: str | None) -> Session:
        try:
            if session_id is not None:
                return self._table.attach(session_id)
            return await self._table.open(SessionKind.WEBSOCKET)
        except SessionRefused as refused:
            await self._reply(refused.reply)
            passing = "retry_after" in refused.reply.details
            raise _Hangup(_TRY_AGAIN_LATER if passing else _INTERNAL_ERROR, "no session") from None

    async def _answer_all(self, session: Session) -> None:
        """Answer what the reader puts into the inbox."""
        while True:
            await self._answer(session, await self._inbox.get())
            self._inbox.task_done()

    async def _take_turns(self, session: Session) -> None:
        """Read and answer frame by frame until the client leaves."""
        while not self._inbox.empty():  # what came while the session was being opened
            await self._answer(session, self._inbox.get_nowait())
        for answered in itertools.count(1):
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._answer(session, message)
            if answered % _READ_AHEAD == 0:
                await asyncio.sleep(0)  # a client that sends thousands of frames must not hold up the others

    async def _answer(self, session: Session, message: Message) -> None:
        """Answer one frame; raises `_Hangup` when it was the last one."""
        try:
            request = self._decode(message)
        except openenv.FrameError as error:
            await self._reply(error.reply)
            end_if_over(error.reply)
            return
        if request.op is Op.CLOSE:
            raise _Hangup(_NORMAL)
        if request.op is Op.MCP:
            await self._reply(McpReply(await self._mcp.answer(request.payload, session)))
        else:
            await self._reply(await self._table.call(session, request))
        self._end_with(session)

    def _end_with(self, session: Session) -> None:
        """Hang up if the session is over."""
        if session.closing is not None:
            raise _Hangup(_INTERNAL_ERROR, "the session has ended")

    def _decode(self, message: Message) -> Request:
        return openenv.decode_request(self._text(message))

    def _text(self, message: Message) -> str:
        """Take the text out of a frame; raises a FrameError where it holds none, or too much."""
        text: str | None = message.get("text")
        if text is None:
            raise _refused(
                ErrorCode.INVALID_JSON, "binary frames are not spoken here: send JSON in text frames"
            )
        limit = self._max_frame_bytes
        if len(text) * 4 > limit and len(text.encode()) > limit:  # a character takes 1 to 4 bytes
            raise _refused(
                ErrorCode.VALIDATION_ERROR,
                f"the frame exceeds this server's limit of {limit} bytes",
                {"reason": Reason.TOO_LARGE.value, "max_frame_bytes": limit},
            )
        return text

    async def _reply(self, reply: Reply) -> None:
        try:
            text = openenv.encode_reply(reply)
        except (TypeError, ValueError, RecursionError) as error:
            logger.warning("a reply has no JSON form: %s", error)
            message = f"the environment's reply cannot be sent: {error}"
            text = openenv.encode_reply(ErrorReply(ErrorCode.EXECUTION_ERROR, message))
        await self._send({"type": "websocket.send", "text": text})


def end_if_over(reply: ErrorReply) -> None:
    """Hang up after a reply to a frame that the conversation cannot go on after."""
    if reply.ends_session:
        raise _Hangup(_TOO_BIG, reply.reason or "")


def _refused(code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> openenv.FrameError:
    return openenv.FrameError(ErrorReply(code, message, details or {}))
