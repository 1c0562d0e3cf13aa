"""MCP's JSON-RPC: the session calls every server answers; tools are the environment's own business."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from openenv_gym.server import json_rpc
from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.replies import json_response
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import ErrorReply, McpReply, Op, Request

_CREATE = "openenv/session/create"
_CLOSE = "openenv/session/close"


class McpService:
    """Answers JSON-RPC requests, from ``POST /mcp`` and from ``mcp`` frames alike.

    Args:
        table: Where sessions live.
    """

    def __init__(self, table: SessionTable) -> None:
        self._table = table

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
        if message["method"] == _CREATE:
            return await self._create(request_id, session)
        if message["method"] == _CLOSE:
            return await self._close(request_id, params.get("session_id"), session)
        try:
            if session is not None:
                return await self._forward(message, session, timeout)
            return await self._ask_by_name(message, params)
        except SessionRefused as refused:
            return _refusal(request_id, refused.reply)

    async def _create(self, request_id: Any, session: Session | None) -> dict[str, Any]:
        if session is None:
            try:
                session = await self._table.open(SessionKind.MCP)
            except SessionRefused as refused:
                return _refusal(request_id, refused.reply)
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
        if found.attached:
            found.close_on_detach = True
            return json_rpc.result(request_id, {"session_id": target, "closed": False, "closing": True})
        await self._table.close(found, "its client closed it")
        return json_rpc.result(request_id, {"session_id": target, "closed": True})

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
            return _refusal(message.get("id"), reply)
        return json_rpc.error(
            message.get("id"), json_rpc.INTERNAL_ERROR, "the environment gave no MCP answer"
        )


def mcp_router(service: McpService) -> APIRouter:
    """Build ``POST /mcp``. As JSON-RPC has it, its failures come with status 200."""
    router = APIRouter(tags=["MCP"])

    @router.post("/mcp", summary="Call MCP by JSON-RPC 2.0")
    async def mcp(request: HttpRequest) -> Response:
        try:
            message = json_codec.decode(await request.body())
        except json_codec.InvalidJSONError as invalid:
            return json_response(json_rpc.error(None, json_rpc.PARSE_ERROR, f"Parse error: {invalid}"))
        return json_response(await service.answer(message))

    return router


def _refusal(request_id: Any, reply: ErrorReply) -> dict[str, Any]:
    return json_rpc.error(
        request_id, json_rpc.SERVER_ERROR, reply.message, {"code": str(reply.code), **reply.details}
    )
