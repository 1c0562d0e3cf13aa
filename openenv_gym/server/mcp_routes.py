"""``/mcp``: JSON-RPC for OpenEnv's clients and MCP's, by ``POST`` (streamable HTTP) and over WebSocket."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from openenv_gym.server import json_rpc, standard_mcp
from openenv_gym.server.conversation import Conversation, end_if_over
from openenv_gym.server.mcp import McpService, refusal
from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.replies import json_response
from openenv_gym.server.session import Session
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import ErrorReply, Reply
from openenv_gym.wire.openenv import FrameError

_SESSION_HEADER = "Mcp-Session-Id"
_SUBPROTOCOL = "mcp"


def mcp_router(service: McpService) -> APIRouter:
    """Build ``POST /mcp`` and ``DELETE /mcp``. As JSON-RPC has it, failures come with status 200.

    A client of MCP's own begins with ``initialize``, and names its session in a header from then on. No
    stream of the server's own requests is offered, as the server makes none: ``GET`` is answered by 405.
    """
    router = APIRouter(tags=["MCP"])

    @router.post("/mcp", summary="Call MCP by JSON-RPC 2.0")
    async def mcp(request: HttpRequest) -> Response:
        try:
            message = json_codec.decode(await request.body())
        except json_codec.InvalidJSONError as invalid:
            return json_response(json_rpc.error(None, json_rpc.PARSE_ERROR, f"Parse error: {invalid}"))
        if standard_mcp.is_notification(message):
            return Response(status_code=202)
        name = request.headers.get(_SESSION_HEADER)
        is_beginning = isinstance(message, dict) and message.get("method") == "initialize"
        if name is None and not is_beginning:
            return json_response(await service.answer(message))
        try:
            session = await service.open() if name is None else service.find(name)
        except SessionRefused as refused:
            request_id = message.get("id") if isinstance(message, dict) else None
            return json_response(refusal(request_id, refused.reply), 200 if name is None else 404)
        answer = await service.answer_standard(message, session)
        return json_response(answer, headers={_SESSION_HEADER: session.id})

    @router.delete("/mcp", summary="End an MCP session", status_code=204)
    async def end(request: HttpRequest) -> Response:
        try:
            await service.end(service.find(request.headers.get(_SESSION_HEADER, "")))
        except SessionRefused as refused:
            return json_response(refusal(None, refused.reply), 404)
        return Response(status_code=204)

    return router


class McpWebSocketEndpoint:
    """Accepts WebSockets at ``/mcp``, as an ASGI app: each owns a session for its life.

    Args:
        table: Where sessions live.
        service: Answers.
        settings: Limits.
    """

    def __init__(self, table: SessionTable, service: McpService, settings: ServerSettings) -> None:
        self._table = table
        self._service = service
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await receive()  # websocket.connect
        offered = _SUBPROTOCOL in scope.get("subprotocols", ())
        await send({"type": "websocket.accept", "subprotocol": _SUBPROTOCOL if offered else None})
        limit = self._settings.max_frame_bytes
        await McpConversation(self._table, self._service, limit, receive, send).run(None)


class McpConversation(Conversation):
    """Speaks JSON-RPC on a WebSocket: OpenEnv's, and MCP's own from an ``initialize`` on."""

    _is_standard = False

    async def _answer(self, session: Session, message: Message) -> None:
        try:
            request = json_codec.decode(self._text(message).encode())
        except FrameError as error:
            await self._reply(error.reply)
            end_if_over(error.reply)
            return
        except (json_codec.InvalidJSONError, UnicodeEncodeError) as invalid:
            await self._send_json(json_rpc.error(None, json_rpc.PARSE_ERROR, f"Parse error: {invalid}"))
            return
        if standard_mcp.is_notification(request):
            return
        if isinstance(request, dict) and request.get("method") == "initialize":
            self._is_standard = True
        answer = self._mcp.answer_standard if self._is_standard else self._mcp.answer
        await self._send_json(await answer(request, session))
        self._end_with(session)

    async def _reply(self, reply: Reply) -> None:
        assert isinstance(reply, ErrorReply)
        await self._send_json(refusal(None, reply))

    async def _send_json(self, response: dict[str, Any]) -> None:
        try:
            text = json_codec.encode(response)
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the environment's reply cannot be sent: {error}"
            text = json_codec.encode(json_rpc.error(response.get("id"), json_rpc.INTERNAL_ERROR, message))
        await self._send({"type": "websocket.send", "text": text})
