"""``/reset``, ``/step`` and ``/state`` over plain HTTP, on sessions that a header or a cookie names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from openenv_gym.server.refusals import SessionRefused, session_error
from openenv_gym.server.replies import json_response, problem, read_object
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.types import Problem, ResetRequest, StepRequest, StepResponse
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    McpReply,
    Op,
    Outcome,
    Reason,
    Reply,
    Request,
    StateReply,
)
from openenv_gym.wire.openenv import FrameError, outcome_body

logger = logging.getLogger(__name__)

SESSION_HEADER = "X-Session-Id"
SESSION_COOKIE = "openenv_session"

_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        404: "No such session",
        409: "No session named, not reset, episode over, or a call is running",
        410: "The session has ended",
        422: "The action, an option or the body does not fit",
        500: "The environment failed",
        503: "No free session, or shutting down; see Retry-After",
        504: "The call overran its deadline; its session is closed",
    }.items()
}


class HttpSessions:
    """Drives sessions for clients that speak nothing but HTTP.

    ``/reset`` names its session in ``X-Session-Id`` and sets a cookie; later calls send either back. curl and
    plain ``requests.post`` keep no cookies, so a ``/reset`` without either opens a session each time - which
    is why such sessions idle out and may take only a part of the server.

    Args:
        table: Where sessions live.
    """

    def __init__(self, table: SessionTable) -> None:
        self._table = table

    def router(self) -> APIRouter:
        """Build the three routes."""
        router = APIRouter(tags=["Environment Control"])
        for path, method, endpoint, body_model, answer_model in (
            ("/reset", "POST", self.reset, ResetRequest, StepResponse),
            ("/step", "POST", self.step, StepRequest, StepResponse),
            ("/state", "GET", self.state, None, None),
        ):
            router.add_api_route(
                path,
                _answering(endpoint),
                methods=[method],
                name=path[1:],
                summary=(endpoint.__doc__ or "").partition(".")[0],
                response_model=None,
                responses={**_FAILURES, 200: _described(answer_model)},
                openapi_extra=None if body_model is None else _body(body_model),
            )
        return router

    async def reset(self, request: HttpRequest) -> Response:
        """Start an episode, in the named session or a new one."""
        options = await read_object(request)
        named = self._named(request, forgiving=True)
        session = named or await self._table.open(SessionKind.HTTP)
        reply = await self._table.call(session, Request(Op.RESET, options))
        if named is None and isinstance(reply, ErrorReply):
            # Nobody will come back to a session that never began.
            await self._table.close(session, "its first reset failed")
            return problem(reply)
        response = _respond(reply, session)
        if session.closing is None:
            response.set_cookie(
                SESSION_COOKIE,
                session.id,
                path=request.scope.get("root_path") or "/",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="strict",
            )
        return response

    async def step(self, request: HttpRequest) -> Response:
        """Take a step in the named session."""
        try:
            body = StepRequest.model_validate(await read_object(request))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            text = "Invalid body: send {'action': {...}} and at most timeout_s and request_id beside it"
            raise FrameError(ErrorReply(ErrorCode.VALIDATION_ERROR, text, {"errors": errors})) from None
        session = self._require(request)
        return _respond(
            await self._table.call(session, Request(Op.STEP, body.action), body.timeout_s), session
        )

    async def state(self, request: HttpRequest) -> Response:
        """Read the named session's state."""
        session = self._require(request)
        return _respond(await self._table.call(session, Request(Op.STATE)), session)

    def _named(self, request: HttpRequest, *, forgiving: bool = False) -> Session | None:
        """Find the session a request names; ``None`` if it names none.

        Args:
            request: The request.
            forgiving: Take a cookie of an ended session as none: browsers send those until told otherwise.
        """
        header = request.headers.get(SESSION_HEADER)
        if header is not None:
            return self._table.find(header)
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie is None:
            return None
        try:
            return self._table.find(cookie)
        except SessionRefused:
            if forgiving:
                return None
            raise

    def _require(self, request: HttpRequest) -> Session:
        session = self._named(request)
        if session is None:
            text = (
                f"no session: POST /reset first, then send back the {SESSION_HEADER} header (or the cookie) "
                "of its answer"
            )
            raise SessionRefused(session_error(text, Reason.NOT_RESET))
        return session


def _answering(endpoint: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Turn the refusals an endpoint raises into responses."""

    async def answer(request: HttpRequest) -> Response:
        try:
            response: Response = await endpoint(request)
        except (SessionRefused, FrameError) as refused:
            return problem(refused.reply)
        return response

    return answer


def _respond(reply: Reply, session: Session) -> Response:
    headers = {SESSION_HEADER: session.id}
    body: dict[str, Any]
    match reply:
        case ErrorReply():
            return problem(reply, headers=headers)
        case Outcome():
            body = outcome_body(reply)
        case StateReply(data) | McpReply(data):
            body = data
    try:
        return json_response(body, headers=headers)
    except (TypeError, ValueError, RecursionError) as error:
        logger.warning("session %s: a reply has no JSON form: %s", session.label, error)
        message = f"the environment's reply cannot be sent: {error}"
        return problem(ErrorReply(ErrorCode.EXECUTION_ERROR, message), headers=headers)


def _described(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"description": "Done"} if model is None else {"description": "Done", "model": model}


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body to OpenAPI. It is read by hand, so that limits and errors are the WebSocket's."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"content": content}}
