"""What a server says over HTTP, fetched from real servers that say the right and the wrong thing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from openenv_gym.client.schemas import fetch_health, fetch_metadata, fetch_schema
from openenv_gym.errors import AuthenticationError, OpenEnvGymError, ProtocolError, ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint
from tests.proxy import Proxy
from tests.servers import LiveServer

Serve = Callable[..., LiveServer]
TOKEN = "s3cret-t0ken"


def app(answer: Callable[[Request], Response]) -> Starlette:
    async def handle(request: Request) -> Response:
        return answer(request)

    return Starlette(routes=[Route("/{path:path}", handle)])


@pytest.mark.parametrize(
    ("fetch", "path"), [(fetch_schema, "/schema"), (fetch_metadata, "/metadata"), (fetch_health, "/health")]
)
def test_each_has_its_route(live_server: Serve, fetch: Callable[..., dict[str, Any]], path: str) -> None:
    server = live_server(
        app(
            lambda request: JSONResponse(
                {"path": request.url.path, "token": request.headers["Authorization"]}
            )
        )
    )
    for base_url in (server.base_url, server.base_url.replace("http", "ws") + "/"):
        got = fetch(Endpoint(base_url, TOKEN), timeout=30.0)
        assert got == {"path": path, "token": f"Bearer {TOKEN}"}


def test_a_path_prefix_and_no_token(live_server: Serve) -> None:
    server = live_server(
        app(
            lambda request: JSONResponse(
                {"path": request.url.path, "token": request.headers.get("authorization")}
            )
        )
    )
    assert fetch_schema(Endpoint(f"{server.base_url}/envs/git"), 30.0) == {
        "path": "/envs/git/schema",
        "token": None,
    }


def test_a_redirect_is_followed(live_server: Serve) -> None:
    def answer(request: Request) -> Response:
        if request.url.path == "/schema":
            return RedirectResponse("/moved/schema")
        return JSONResponse({"action": {}})

    assert fetch_schema(Endpoint(live_server(app(answer)).base_url), 30.0) == {"action": {}}


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (PlainTextResponse("who are you?", 401), AuthenticationError),
        (PlainTextResponse("no", 403), AuthenticationError),
        (PlainTextResponse("nothing here", 404), ProtocolError),
        (JSONResponse({"detail": "Not Found"}, 404), ProtocolError),
        (PlainTextResponse("down", 502), ServerUnreachableError),
        (PlainTextResponse("<html>"), ProtocolError),
        (JSONResponse([1, 2]), ProtocolError),
        (Response(b"\xff\xfe{}"), ProtocolError),
    ],
)
def test_other_answers(live_server: Serve, response: Response, kind: type[OpenEnvGymError]) -> None:
    server = live_server(app(lambda request: response))
    with pytest.raises(OpenEnvGymError) as refused:
        fetch_schema(Endpoint(server.base_url, TOKEN), 30.0)
    assert type(refused.value) is kind
    assert f"{server.base_url}" in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_connection_that_is_cut_is_not_the_last(live_server: Serve) -> None:
    server = live_server(app(lambda request: JSONResponse({"ok": True})))
    with Proxy(server.base_url) as proxy:
        proxy.refuse()
        timer = threading.Timer(0.2, proxy.refuse, (False,))
        timer.start()
        assert fetch_schema(Endpoint(proxy.base_url)) == {"ok": True}
        timer.join()
        proxy.refuse()
        with pytest.raises(ServerUnreachableError, match="cannot fetch"):
            fetch_schema(Endpoint(proxy.base_url), timeout=0.5)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServerUnreachableError, match=f"{port}.*check"):
        fetch_schema(Endpoint(f"127.0.0.1:{port}"), 30.0)


def test_nobody_answers_in_time() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(ServerUnreachableError, match=r"within 0\.1 s"):
        fetch_schema(Endpoint(f"127.0.0.1:{silent.getsockname()[1]}"), 0.1)


def test_no_proxy_comes_between_us_and_this_machine(
    live_server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = live_server(app(lambda request: JSONResponse({"ok": True})))
    assert fetch_health(Endpoint(server.base_url), 30.0) == {"ok": True}
