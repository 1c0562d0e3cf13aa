"""MCP's own clients on our server: FastMCP's over streamable HTTP, raw ones over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import fastmcp
import httpx
import pytest
import websockets
from fastmcp.exceptions import ToolError

from openenv_gym.server import CallToolAction, CallToolObservation, ServerSettings, create_app
from tests.server.talk import wait_until_empty
from tests.server.tool_samples import Counter, Desk
from tests.servers import LiveServer

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}


@pytest.fixture(scope="module", params=[Counter, Desk], ids=["methods", "fastmcp"])
def tools(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    settings = ServerSettings(max_frame_bytes=10_000)
    app = create_app(
        request.param, CallToolAction, CallToolObservation, max_concurrent_envs=2, settings=settings
    )
    server = LiveServer(app).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def counter() -> Iterator[LiveServer]:
    app = create_app(Counter, CallToolAction, CallToolObservation, env_name="counter", max_concurrent_envs=2)
    server = LiveServer(app).start()
    yield server
    server.stop()


async def test_fastmcps_client(tools: LiveServer) -> None:
    client: fastmcp.Client[Any] = fastmcp.Client(f"{tools.base_url}/mcp")
    async with client:
        listed = {tool.name: tool for tool in await client.list_tools()}
        assert {"add", "fail"} <= set(listed)
        assert await client.ping()
        with pytest.raises(ToolError, match="file not found"):
            await client.call_tool("fail", {})
        with pytest.raises(Exception, match="Unknown tool"):
            await client.call_tool("nothing", {})
        if "tell" in listed:
            results = await asyncio.gather(*(client.call_tool("add", {"amount": 2}) for _ in range(5)))
            assert sorted(result.structured_content["result"] for result in results) == [2, 4, 6, 8, 10]
        else:
            result = await client.call_tool("add", {"a": 1, "b": 2})
            assert (result.structured_content, result.is_error) == ({"result": 3}, False)
            assert result.content[0].text == "3"
    wait_until_empty(tools)  # leaving the client ends the session


def test_the_handshake_over_http(counter: LiveServer) -> None:
    with httpx.Client(base_url=counter.base_url) as client:
        begun = client.post("/mcp", json=INITIALIZE)
        session = begun.headers["Mcp-Session-Id"]
        result = begun.json()["result"]
        assert result["protocolVersion"] == "2025-06-18"
        assert result["capabilities"] == {"tools": {"listChanged": False}}
        assert result["serverInfo"]["name"] == "counter"
        client.headers["Mcp-Session-Id"] = session
        done = client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (done.status_code, done.content) == (202, b"")

        def rpc(method: str, **params: Any) -> dict[str, Any]:
            answer = client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            assert answer.status_code == 200
            return dict(answer.json())

        assert rpc("ping")["result"] == {}
        called = rpc("tools/call", name="tell", arguments={})["result"]
        assert called == {
            "content": [{"type": "text", "text": '{"total": 0, "text": "zwölf 🚀"}'}],
            "structuredContent": {"total": 0, "text": "zwölf 🚀"},
            "isError": False,
        }
        failed = rpc("tools/call", name="fail", arguments={})["result"]
        assert failed["isError"]
        assert "LookupError" in failed["content"][0]["text"]
        assert rpc("tools/call", name="add", arguments={"amount": "x"})["result"]["isError"]
        assert rpc("tools/call", name="nothing", arguments={})["error"]["code"] == -32602
        assert rpc("tools/call")["error"]["code"] == -32602
        assert rpc("resources/list")["error"]["code"] == -32601
        assert client.get("/mcp").status_code == 405
        assert client.delete("/mcp").status_code == 204
        assert client.delete("/mcp").status_code == 404
        assert client.post("/mcp", json=INITIALIZE).status_code == 404  # a session that has ended
    wait_until_empty(counter)


def test_an_unknown_version_is_answered_by_ours(counter: LiveServer) -> None:
    params = {**INITIALIZE["params"], "protocolVersion": "1999-01-01"}  # type: ignore[dict-item]
    begun = httpx.post(f"{counter.base_url}/mcp", json={**INITIALIZE, "params": params})
    assert begun.json()["result"]["protocolVersion"] == "2025-11-25"
    httpx.delete(f"{counter.base_url}/mcp", headers={"Mcp-Session-Id": begun.headers["Mcp-Session-Id"]})
    wait_until_empty(counter)


def test_limits_are_everybodys(counter: LiveServer) -> None:
    with httpx.Client(base_url=counter.base_url) as client:
        begun = [client.post("/mcp", json=INITIALIZE) for _ in range(3)]
        assert begun[2].json()["error"]["data"]["code"] == "CAPACITY_REACHED"
        for answer in begun[:2]:
            client.delete("/mcp", headers={"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]})
    wait_until_empty(counter)


def test_probing_makes_no_environment(counter: LiveServer) -> None:
    probe = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}}
    assert httpx.post(f"{counter.base_url}/mcp", json=probe).json()["error"]["code"] == -32601


async def test_a_websocket_owns_a_session(tools: LiveServer) -> None:
    url = tools.ws_url.replace("/ws", "/mcp")
    async with websockets.connect(url) as socket, websockets.connect(url) as other:

        async def ask(text: Any, over: Any = socket) -> dict[str, Any]:
            await over.send(text if isinstance(text, str) else json.dumps(text))
            return dict(json.loads(await over.recv()))

        async def rpc(method: str, over: Any = socket, **params: Any) -> dict[str, Any]:
            return await ask({"jsonrpc": "2.0", "id": "x", "method": method, "params": params}, over)

        session_id = (await rpc("openenv/session/create"))["result"]["session_id"]
        assert (await rpc("openenv/session/create"))["result"]["session_id"] == session_id
        assert (await rpc("openenv/session/close", session_id=session_id))["error"]["code"] == -32600
        names = {tool["name"] for tool in (await rpc("tools/list"))["result"]["tools"]}
        arguments = {"amount": 3} if "tell" in names else {"a": 1, "b": 2}
        called = await rpc("tools/call", name="add", arguments=arguments)
        assert (called["result"]["data"], called["id"]) == (3, "x")
        assert "file not found" in (await rpc("tools/call", name="fail"))["error"]["message"]
        for broken, code in [("{", -32700), ("[]", -32600), ('{"jsonrpc": "2.0", "id": 1}', -32600)]:
            assert (await ask(broken))["error"]["code"] == code
        # The other is MCP's own client.
        assert (await ask(INITIALIZE, other))["result"]["protocolVersion"] == "2025-06-18"
        await other.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        called = await rpc("tools/call", other, name="add", arguments=arguments)
        assert called["result"]["structuredContent"] == {"result": 3}
        assert (await rpc("tools/call", other, name="fail"))["result"]["isError"]
        async with websockets.connect(url) as third:
            assert json.loads(await third.recv())["error"]["data"]["code"] == "CAPACITY_REACHED"
        await socket.send(json.dumps({"x": "y" * 10_000}))
        assert "limit of 10000 bytes" in json.loads(await socket.recv())["error"]["message"]
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
    wait_until_empty(tools)
