"""Composes the host's ASGI application: API, smart HTTP, errors in Gitea's shape."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from git_env.host import history_routes, repository_routes, user_routes
from git_env.host.access import Access
from git_env.host.accounts import Accounts
from git_env.host.context import HostContext
from git_env.host.errors import HostError, NotFoundError, TooLargeError, UnauthorizedError
from git_env.host.repositories import RepositoryStore
from git_env.host.settings import HostSettings
from git_env.host.smart_http import SmartHttp


def create_host_app(store: RepositoryStore, accounts: Accounts, settings: HostSettings) -> FastAPI:
    """Return the ASGI application that serves a store."""
    app = FastAPI(
        title="openenv-gym git host",
        version=user_routes.API_VERSION,
        docs_url="/api/swagger",
        openapi_url="/swagger.v1.json",
        redoc_url=None,
    )
    app.add_middleware(ApiBodyLimit, limit=settings.limits.api_body_bytes)
    app.add_exception_handler(HostError, _on_host_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_crash)
    access = Access(accounts, anonymous_read=settings.anonymous_read)
    app.state.host = HostContext(store, access, settings)
    for routes in (user_routes, repository_routes, history_routes):
        app.include_router(routes.router, prefix="/api")
    app.add_api_route("/api/{rest:path}", _no_such_route, methods=["GET", "POST"], include_in_schema=False)
    smart_http = SmartHttp(store, access, settings)
    app.router.routes += [
        Route("/{owner}/{repo}/{service:path}", smart_http, methods=["GET"]),
        Route("/{owner}/{repo}/{service}", smart_http, methods=["POST"]),
    ]
    return app


class ApiBodyLimit:
    """Refuses API bodies over a bound; git's own requests have theirs in ``smart_http``."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body while it is read."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._limit:
                # FastAPI passes only this kind on unchanged while it reads a body.
                raise HTTPException(TooLargeError.status, "The request is too large.")
            return message

        await self._app(scope, counted, send)


async def _no_such_route() -> None:
    """Answer for the rest of Gitea's API, which would otherwise look like a repository of the user "api"."""
    raise NotFoundError


def _reply(
    request: Request, status: int, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {"message": message, "url": f"{request.base_url}api/swagger"}
    return JSONResponse(body, status_code=status, headers=headers)


async def _on_host_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HostError)
    challenge = {"WWW-Authenticate": 'Basic realm="Gitea"'} if isinstance(error, UnauthorizedError) else None
    return _reply(request, error.status, str(error), challenge)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _reply(request, error.status_code, str(error.detail), dict(error.headers or {}))


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and why, but never pydantic's `input`: it may hold a password.
    problems = (f"{'.'.join(map(str, each['loc'][1:])) or 'body'}: {each['msg']}" for each in error.errors())
    return _reply(request, 422, "; ".join(problems))


async def _on_crash(request: Request, error: Exception) -> JSONResponse:
    return _reply(request, 500, "internal server error; see the host's log")
