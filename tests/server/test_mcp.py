"""JSON-RPC at ``/mcp`` and in ``mcp`` frames: sessions for everybody, tools for those who have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, Parrot, Say
from tests.server.talk import post, talk, wait_until_empty
from tests.servers import LiveServer


class Toolbox(Parrot):
    """Answers MCP itself, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def handle_mcp(self, message: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        return {"jsonrpc": "2.0", "id": message.get("id"), "result": [self.calls, message.get("params", {})]}


@pytest.fixture(scope="module")
def parrot() -> Iterator[LiveServer]:
    server = LiveServer(create_app(Parrot, Say, Heard)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def toolbox() -> Iterator[LiveServer]:
    server = LiveServer(create_app(Toolbox, Say, Heard)).start()
    yield server
    server.stop()


def call(server: LiveServer, method: str, **params: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = post(server, "/mcp", json=message)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", 1)
    return body


def test_a_session_is_created_used_and_closed(toolbox):
    session_id = call(toolbox, "openenv/session/create")["result"]["session_id"]
    assert call(toolbox, "tools/list", session_id=session_id)["result"] == [1, {}]
    assert call(toolbox, "tools/call", session_id=session_id, name="x")["result"] == [2, {"name": "x"}]
    closed = call(toolbox, "openenv/session/close", session_id=session_id)["result"]
    assert closed == {"session_id": session_id, "closed": True}
    assert call(toolbox, "openenv/session/close", session_id=session_id)["error"]["code"] == -32602
    assert call(toolbox, "tools/list", session_id=session_id)["error"]["data"]["reason"] == "closed"
    wait_until_empty(toolbox)


def test_without_a_session_a_passing_one_answers(toolbox):
    for _ in range(3):
        assert call(toolbox, "tools/list")["result"] == [1, {}]
    wait_until_empty(toolbox)


def test_an_environment_without_tools(parrot):
    assert call(parrot, "tools/list")["error"]["code"] == -32601
    with talk(parrot) as session:
        reply = session.ask({"type": "mcp", "data": {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}})
        assert (reply["type"], reply["data"]["id"], reply["data"]["error"]["code"]) == ("mcp", 7, -32601)
        session.assert_usable()
    wait_until_empty(parrot)


def test_on_a_socket_the_session_is_the_sockets_own(toolbox):
    with talk(toolbox) as session:

        def rpc(method: str, **params: Any) -> dict[str, Any]:
            data = {"jsonrpc": "2.0", "id": "a", "method": method, "params": params}
            return session.ask({"type": "mcp", "data": data})["data"]

        session_id = rpc("openenv/session/create")["result"]["session_id"]
        assert rpc("tools/list")["result"] == [1, {}]
        assert call(toolbox, "tools/list", session_id=session_id)["result"] == [2, {}]
        assert rpc("openenv/session/close", session_id=session_id)["error"]["code"] == -32600
        session.assert_usable()
    wait_until_empty(toolbox)


def test_beyond_capacity(parrot):
    ids = [call(parrot, "openenv/session/create")["result"]["session_id"] for _ in range(8)]
    error = call(parrot, "openenv/session/create")["error"]
    assert error["code"] == -32000
    assert error["data"]["max_sessions"] == 8
    for session_id in ids:
        call(parrot, "openenv/session/close", session_id=session_id)
    wait_until_empty(parrot)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"{}", -32600),
        (b"[]", -32600),
        (b"null", -32600),
        (b'{"jsonrpc": "1.0", "method": "x"}', -32600),
        (b'{"jsonrpc": "2.0", "method": 5}', -32600),
        (b'{"jsonrpc": "2.0", "method": "x", "params": [1]}', -32600),
        (b'{"jsonrpc": "2.0", "method": "x", "id": true}', -32600),
        (b'{"jsonrpc": "2.0", "method": "x", "extra": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": "openenv/session/close"}', -32602),
        (b'{"jsonrpc": "2.0", "method": "openenv/session/close", "params": {"session_id": 5}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "tools/list", "params": {"session_id": 5}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "tools/list", "params": {"session_id": "guessed"}}', -32000),
    ],
)
def test_what_is_no_request(parrot, body, code):
    answer = post(parrot, "/mcp", content=body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code
