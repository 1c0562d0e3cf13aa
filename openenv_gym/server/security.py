"""Who may talk to the server: bearer token, browser origins, body size. Pure ASGI, around the whole app."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv_gym.server.settings import ServerSettings
from openenv_gym.wire import json_codec

_OPEN_PATHS = {"/health"}  # what orchestrators probe without credentials
_READ_ONLY_METHODS = {"GET", "HEAD", "OPTIONS"}


class Refusal(Exception):
    """A request that gets no further.

    Args:
        status: HTTP status.
        code: The error's code in the body.
        detail: For people.
        headers: Further response headers.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, tuple(headers)


class SecurityMiddleware:
    """Refuses what has no business here before any route sees it.

    Args:
        app: The application behind.
        settings: Token, allowed origins, body limit.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._token = settings.token.encode() if settings.token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            self._check_token(scope, headers)
            self._check_origin(scope, headers)
            if scope["type"] == "http":
                receive = self._bounded(receive, headers)
        except Refusal as refusal:
            await _send_refusal(refusal, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_token(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._token is None or (scope["type"] == "http" and path in _OPEN_PATHS):
            return
        scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
        given = credentials.strip() if scheme.lower() == b"bearer" else b""
        if not hmac.compare_digest(given, self._token):
            detail = "this server asks for its token: send 'Authorization: Bearer TOKEN'"
            raise Refusal(401, "UNAUTHORIZED", detail, [(b"www-authenticate", b"Bearer")])

    def _check_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Keep other sites' pages from driving this server through their visitors' browsers.

        Only browsers send ``Origin``; they do not ask before they open a WebSocket or post a form, and the
        visitor's cookies (and network position) come along.
        """
        origin = headers.get(b"origin")
        if origin is None or (scope["type"] == "http" and scope["method"] in _READ_ONLY_METHODS):
            return
        text = origin.decode("latin-1").lower()
        if text in self._settings.allowed_origins or "*" in self._settings.allowed_origins:
            return
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _is_same_host(text, host) and not _is_rebound(scope, host):
            return
        raise Refusal(403, "FORBIDDEN_ORIGIN", f"pages of {text[:200]} may not use this server")

    def _bounded(self, receive: Receive, headers: dict[bytes, bytes]) -> Receive:
        limit = self._settings.max_body_bytes
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            raise Refusal(413, "TOO_LARGE", f"the body exceeds this server's limit of {limit} bytes")
        received = 0

        async def bounded_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:  # a chunked body declares no length
                raise HTTPException(413, f"the body exceeds this server's limit of {limit} bytes")
            return message

        return bounded_receive


def _is_same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc == host


def _is_rebound(scope: Scope, host: str) -> bool:
    """Whether a foreign name leads to a loopback server: by DNS rebinding a foreign page has our host."""
    server = scope.get("server")
    if server is None or not _is_loopback(server[0]):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return True
    return not (name == "localhost" or name.endswith(".localhost") or _is_loopback(name))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _send_refusal(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    body = json_codec.encode({"detail": refusal.detail, "code": refusal.code}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *refusal.headers,
    ]
    prefix = ""
    if scope["type"] == "websocket":
        await receive()  # the handshake, which this answers
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail})
            return
        prefix = "websocket."
    await send({"type": f"{prefix}http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": body})
