"""The middleware alone, as ASGI: who gets through to the app behind it."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.server.security import SecurityMiddleware
from openenv_gym.server.settings import ServerSettings


class Reached(Exception):
    """The request got through."""


async def inner(scope: Any, receive: Any, send: Any) -> None:
    raise Reached


def scope_of(
    kind: str = "http", method: str = "POST", path: str = "/reset", server: str = "10.0.0.5", **headers: str
) -> dict[str, Any]:
    headers = {
        "host": "env.example:8000",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "server": (server, 8000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    if kind == "http":
        scope["method"] = method
    else:
        scope["extensions"] = {"websocket.http.response": {}}
    return scope


async def status(settings: ServerSettings, scope: dict[str, Any]) -> int | str:
    """Send one request; "through" if it reached the app, else the status (or message type) of the refusal."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request" if scope["type"] == "http" else "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await SecurityMiddleware(inner, settings)(scope, receive, send)
    except Reached:
        return "through"
    first = sent[0]
    return first["status"] if "status" in first else first["type"]


TOKEN = ServerSettings(token="s3cret")


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer s3cret", "through"),
        ("bearer  s3cret ", "through"),
        ("Bearer wrong", 401),
        ("Bearer", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer s3cret\u00e9", 401),
    ],
)
async def test_the_token_opens_and_nothing_else_does(kind, authorization, expected):
    assert await status(TOKEN, scope_of(kind, authorization=authorization)) == expected


async def test_no_token_presented():
    assert await status(TOKEN, scope_of()) == 401
    assert await status(TOKEN, scope_of("websocket", path="/ws")) == 401


async def test_health_needs_no_token():
    assert await status(TOKEN, scope_of(method="GET", path="/health")) == "through"
    assert await status(TOKEN, scope_of("websocket", path="/health")) == 401


async def test_health_is_found_below_a_mount():
    scope = {**scope_of(method="GET", path="/env/health"), "root_path": "/env"}
    assert await status(TOKEN, scope) == "through"


async def test_without_the_response_extension_a_websocket_is_closed():
    scope = scope_of("websocket")
    del scope["extensions"]
    assert await status(TOKEN, scope) == "websocket.close"


async def test_lifespan_passes():
    with pytest.raises(Reached):
        await SecurityMiddleware(inner, TOKEN)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://env.example:8000", "through"),
        ("https://ENV.example:8000", "through"),
        ("https://play.example", "through"),
        ("http://env.example", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
        ("file://env.example:8000", 403),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_browsers_of_other_sites_are_refused(kind, origin, expected):
    settings = ServerSettings(allowed_origins=frozenset({"https://play.example"}))
    assert await status(settings, scope_of(kind, origin=origin)) == expected


async def test_reading_needs_no_origin_check_and_non_browsers_send_none():
    assert await status(ServerSettings(), scope_of(method="GET", origin="http://evil.example")) == "through"
    assert await status(ServerSettings(), scope_of()) == "through"


async def test_a_star_allows_every_origin():
    settings = ServerSettings(allowed_origins=frozenset({"*"}))
    assert await status(settings, scope_of(origin="http://anybody.example")) == "through"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8000", "through"),
        ("localhost:8000", "through"),
        ("[::1]:8000", "through"),
        ("evil.example:8000", 403),
        ("[:8000", 403),
    ],
)
async def test_a_name_rebound_to_loopback_is_no_same_host(host, expected):
    scope = scope_of("websocket", server="127.0.0.1", host=host, origin=f"http://{host}")
    assert await status(ServerSettings(), scope) == expected


async def test_a_body_that_declares_too_much_is_refused():
    settings = ServerSettings(max_body_bytes=10)
    assert await status(settings, scope_of(content_length="10")) == "through"
    assert await status(settings, scope_of(content_length="11")) == 413
    assert await status(settings, scope_of(content_length="lots")) == 413
