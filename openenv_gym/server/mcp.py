"""MCP's JSON-RPC: the session calls every server answers; tools are the environment's own business."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from openenv_gym.server import json_rpc, standard_mcp
from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.wire.messages import ErrorReply, McpReply, Op, Request

_CREATE = "openenv/session/create"
_CLOSE = "openenv/session/close"
_TOOL_METHODS = ("tools/list", "tools/call")


class McpService:
    """Answers JSON-RPC requests, from ``/mcp`` and from ``mcp`` frames alike.

    Args:
        table: Where sessions live.
        name: The environment's, for clients that ask.
    """

    def __init__(self, table: SessionTable, name: str = "openenv") -> None:
        self._table = table
        self._name = name
        self._turns: WeakKeyDictionary[Session, asyncio.Lock] = WeakKeyDictionary()

    async def answer(
        self, message: Any, session: Session | None = None, timeout: float | None = None
    ) -> dict[str, Any]:
        """Answer one request.

        Args:
            message: The decoded request, of any shape.
            session: The session of the connection it came over, if it came over one.
            timeout: Seconds the environment may take, at most the server's own ``step_timeout``.

        Returns:
            A JSON-RPC response; failures are responses too.
        """
        problem = json_rpc.problem_with(message)
        if problem is not None:
            return json_rpc.error(None, json_rpc.INVALID_REQUEST, f"Invalid request: {problem}")
        request_id, params = message.get("id"), message.get("params", {})
        if message["method"] == "ping":
            return json_rpc.result(request_id, {})
        if message["method"] == "initialize":
            return json_rpc.result(request_id, standard_mcp.initialized(params, self._name))
        if message["method"] == _CREATE:
            return await self._create(request_id, session)
        if message["method"] == _CLOSE:
            return await self._close(request_id, params.get("session_id"), session)
        try:
            if session is not None:
                return await self._forward(message, session, timeout)
            return await self._ask_by_name(message, params)
        except SessionRefused as refused:
            return refusal(request_id, refused.reply)

    async def answer_standard(self, message: Any, session: Session) -> dict[str, Any]:
        """Answer one request of a client of MCP's own, which may have several under way.

        Args:
            message: The decoded request, of any shape.
            session: Its session.
        """
        async with self._turns.setdefault(session, asyncio.Lock()):
            response = await self.answer(message, session)
        method = message.get("method") if isinstance(message, dict) else None
        return standard_mcp.standard_response(str(method), response)

    async def open(self) -> Session:
        """Open a session that lives until it is closed, or idles out; raises `SessionRefused`."""
        return await self._table.open(SessionKind.MCP)

    def find(self, session_id: str) -> Session:
        """Look up an open session; raises `SessionRefused`."""
        return self._table.find(session_id)

    async def end(self, session: Session) -> bool:
        """Close a session, at once or as soon as its WebSocket lets go; say whether it is closed now."""
        if session.attached:
            session.close_on_detach = True
            return False
        await self._table.close(session, "its client closed it")
        return True

    async def _create(self, request_id: Any, session: Session | None) -> dict[str, Any]:
        if session is None:
            try:
                session = await self.open()
            except SessionRefused as refused:
                return refusal(request_id, refused.reply)
        return json_rpc.result(request_id, {"session_id": session.id})

    async def _close(self, request_id: Any, target: Any, session: Session | None) -> dict[str, Any]:
        if not isinstance(target, str) or not target:
            return json_rpc.error(
                request_id, json_rpc.INVALID_PARAMS, "Invalid params: 'session_id' is required"
            )
        if session is not None and session.id == target:
            text = "a session cannot be closed from its own WebSocket by MCP: send a 'close' frame"
            return json_rpc.error(request_id, json_rpc.INVALID_REQUEST, text)
        try:
            found = self._table.find(target)
        except SessionRefused:
            return json_rpc.error(request_id, json_rpc.INVALID_PARAMS, "Unknown session_id")
        if await self.end(found):
            return json_rpc.result(request_id, {"session_id": target, "closed": True})
        return json_rpc.result(request_id, {"session_id": target, "closed": False, "closing": True})

    async def _ask_by_name(self, message: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Pass a request on to the environment of ``session_id``, or to a passing one."""
        if "session_id" in params:
            target = params["session_id"]
            if not isinstance(target, str):
                return json_rpc.error(
                    message.get("id"), json_rpc.INVALID_PARAMS, "Invalid params: 'session_id' is a string"
                )
            named = self._table.find(target)
            rest = {name: value for name, value in params.items() if name != "session_id"}
            return await self._forward({**message, "params": rest}, named)
        if message["method"] not in _TOOL_METHODS:  # not worth making an environment for
            text = f"Method not found: {message['method'][:200]}"
            return json_rpc.error(message.get("id"), json_rpc.METHOD_NOT_FOUND, text)
        passing = await self._table.open(SessionKind.MCP)
        try:
            return await self._forward(message, passing)
        finally:
            await self._table.close(passing, "its one MCP request is answered")

    async def _forward(
        self, message: dict[str, Any], session: Session, timeout: float | None = None
    ) -> dict[str, Any]:
        reply = await self._table.call(session, Request(Op.MCP, message), timeout)
        if isinstance(reply, McpReply):
            return reply.data
        if isinstance(reply, ErrorReply):
            return refusal(message.get("id"), reply)
        return json_rpc.error(
            message.get("id"), json_rpc.INTERNAL_ERROR, "the environment gave no MCP answer"
        )


def refusal(request_id: Any, reply: ErrorReply) -> dict[str, Any]:
    """Say as a response why a session or a call was refused."""
    return json_rpc.error(
        request_id, json_rpc.SERVER_ERROR, reply.message, {"code": str(reply.code), **reply.details}
    )
