"""Tools: OpenEnv's clients on our server, ours on theirs, and one environment on both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest
import websockets
from gymnasium.utils.env_checker import check_env
from openenv.core.env_server.mcp_types import CallToolAction as UpstreamCallToolAction
from openenv.core.env_server.mcp_types import CallToolObservation as UpstreamCallToolObservation
from openenv.core.mcp_client import MCPToolClient as UpstreamToolClient

from echo_env.models import EchoObservation
from echo_env.server.app import app as echo_app
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym import MCPToolClient
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import ToolCallError
from openenv_gym.server import CallToolAction, CallToolObservation, create_app
from openenv_gym.spaces import ToolCalls
from tests.interop.tool_desk import make_app
from tests.interop.upstream_tools import Tools
from tests.servers import LiveServer

PACKAGES = {"ours": "openenv_gym.server", "upstream": "openenv.core.env_server"}


class EchoEnv(UpstreamToolClient):
    """All that OpenEnv's own client of its Echo environment is."""


@pytest.fixture(scope="module", params=list(PACKAGES))
def shelf(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """The same environment, written for OpenEnv and for us, on the server that belongs to it."""
    server = LiveServer(make_app(PACKAGES[request.param])).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def echo_tools() -> Iterator[LiveServer]:
    """Echo as OpenEnv serves it: by its tools alone."""
    app = create_app(
        EchoEnvironment, CallToolAction, CallToolObservation, reset_observation_cls=EchoObservation
    )
    server = LiveServer(app).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def echo() -> Iterator[LiveServer]:
    server = LiveServer(echo_app).start()
    yield server
    server.stop()


async def test_upstreams_client(shelf: LiveServer) -> None:
    async with UpstreamToolClient(base_url=shelf.base_url) as client:
        tools = await client.list_tools()
        assert [tool.name for tool in tools] == ["put", "look", "drop"]
        assert tools[0].description == "Put a text on the shelf."
        assert tools[0].input_schema["required"] == ["text"]
        reset = await client.reset()
        assert reset.observation.metadata == {"status": "ready"}
        assert await client.call_tool("put", text="é", copies=2) == 2
        assert await client.call_tool("look") == {"texts": ["é", "é"]}
        stepped = await client.step(UpstreamCallToolAction(tool_name="put", arguments={"text": "b"}))
        assert isinstance(stepped.observation, UpstreamCallToolObservation)
        assert stepped.observation.result["data"] == 3
        for name, arguments in [("drop", {}), ("nothing", {}), ("put", {"copies": 1})]:
            with pytest.raises(RuntimeError, match=f"Tool '{name}' failed"):
                await client.call_tool(name, **arguments)
        stepped = await client.step(UpstreamCallToolAction(tool_name="drop"))
        assert stepped.observation.error is not None
        assert stepped.observation.error.error_type.value == "execution_error"
        assert await client.has_tool("look")


def test_our_client(shelf: LiveServer) -> None:
    with MCPToolClient(base_url=shelf.base_url).sync() as client:
        assert [tool.name for tool in client.list_tools()] == ["put", "look", "drop"]
        tool = client.get_tool("put")
        assert tool is not None
        assert tool.input_schema["properties"]["copies"]["default"] == 1
        assert client.reset().observation.metadata == {"status": "ready"}
        assert client.call_tool("put", text="é", copies=2) == 2
        assert client.call_tool("look") == {"texts": ["é", "é"]}
        stepped = client.step(CallToolAction(tool_name="put", arguments={"text": "b"}))
        assert isinstance(stepped.observation, CallToolObservation)
        assert stepped.observation.result["data"] == 3
        for name, arguments in [("drop", {}), ("nothing", {}), ("put", {"copies": 1})]:
            with pytest.raises(ToolCallError, match=f"Tool '{name}' failed"):
                client.call_tool(name, **arguments)
        stepped = client.step(CallToolAction(tool_name="drop"))
        assert stepped.observation.error.error_type == "execution_error"


async def test_frames_are_the_same(shelf: LiveServer) -> None:
    """What a client in another language sends, and what it gets: fields and values, whichever server."""
    async with websockets.connect(shelf.ws_url) as socket:

        async def ask(kind: str, data: dict[str, Any]) -> dict[str, Any]:
            await socket.send(json.dumps({"type": kind, "data": data}))
            reply: dict[str, Any] = json.loads(await socket.recv())
            assert reply["type"] in ("observation", "mcp")
            return dict(reply["data"])

        listed = await ask("step", {"type": "list_tools"})
        assert set(listed["observation"]) == {"tools", "metadata"}
        assert set(listed["observation"]["tools"][0]) == {"name", "description", "input_schema"}
        called = await ask("step", {"type": "call_tool", "tool_name": "put", "arguments": {"text": "a"}})
        assert called["observation"] == {
            "metadata": {},
            "tool_name": "put",
            "result": {
                "content": [{"type": "text", "text": "1", "annotations": None, "meta": None}],
                "structured_content": {"result": 1},
                "meta": {"fastmcp": {"wrap_result": True}},
                "data": 1,
                "is_error": False,
            },
            "error": None,
        }
        rpc = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
        answer = await ask("mcp", {**rpc, "params": {"name": "put", "arguments": {"text": "a"}}})
        assert (answer["id"], answer["result"]["data"], answer["result"]["is_error"]) == (7, 2, False)
        failed = await ask("mcp", {**rpc, "params": {"name": "drop", "arguments": {}}})
        assert "it fell" in failed["error"]["message"]


@pytest.mark.parametrize("model", ["tools", "own"])
async def test_upstreams_environment_on_our_server(model: str) -> None:
    """Also where its action model is of its own: then its base class tells that there are tools."""
    from tests.interop.upstream_counter import CountAction, CountObservation

    action, observation = (
        (UpstreamCallToolAction, UpstreamCallToolObservation)
        if model == "tools"
        else (CountAction, CountObservation)
    )
    server = LiveServer(create_app(Tools, action, observation)).start()
    try:
        async with UpstreamToolClient(base_url=server.base_url) as client:
            assert [tool.name for tool in await client.list_tools()] == ["say"]
            assert await client.call_tool("say", message="hé") == "hé"
        async with MCPToolClient(base_url=server.base_url) as client:
            assert await client.call_tool("say", message="hé") == "hé"
            with pytest.raises(ToolCallError):
                await client.call_tool("nothing")
    finally:
        server.stop()


async def test_upstreams_echo_client(echo: LiveServer) -> None:
    async with EchoEnv(base_url=echo.base_url) as client:
        assert [tool.name for tool in await client.list_tools()] == ["echo_message", "echo_with_length"]
        await client.reset()
        assert await client.call_tool("echo_message", message="Hello!") == "Hello!"
        assert await client.call_tool("echo_with_length", message="Test") == {"message": "Test", "length": 4}
        action = UpstreamCallToolAction(tool_name="echo_message", arguments={"message": "día"})
        result = await client.step(action)
        assert result.observation.result["data"] == "día"
        assert result.reward == 0.0
        assert (await client.state()).step_count > 0


def test_upstreams_echo_client_synchronously(echo: LiveServer) -> None:
    with EchoEnv(base_url=echo.base_url).sync() as client:
        client.reset()
        assert client.call_tool("echo_message", message="Hello!") == "Hello!"


@pytest.mark.parametrize("dialect", ["openenv", "v1"])
def test_our_echo_client_does_both(echo: LiveServer, dialect: Dialect) -> None:
    import echo_env

    with echo_env.EchoEnv(base_url=echo.base_url, dialect=dialect).sync() as client:
        client.reset()
        assert client.step(echo_env.EchoAction(message="abc")).reward == 0.3
        assert client.async_client.sync().call_tool("echo_message", message="x") == "x"


async def test_many_sessions_of_upstreams_client(shelf: LiveServer) -> None:
    async def play(index: int) -> list[int]:
        async with UpstreamToolClient(base_url=shelf.base_url) as client:
            await client.reset()
            return [await client.call_tool("put", text=str(index), copies=index) for _ in range(3)]

    assert await asyncio.gather(play(1), play(2)) == [[1, 2, 3], [2, 4, 6]]


def test_gymnasium_plays_with_tools(shelf: LiveServer) -> None:
    with gymnasium.make("openenv/Remote-v0", base_url=shelf.base_url) as env:
        assert isinstance(env.action_space, ToolCalls)
        assert env.action_space.tools == ("put", "look", "drop")
        env.reset(seed=1)
        env.step((0, {"text": "é", "copies": 2}))
        observation, reward, *_ = env.step(CallToolAction(tool_name="look"))
        assert json.loads(observation["result"][1])["data"] == {"texts": ["é", "é"]}
        assert reward == 0.0
        observation, *_ = env.step((2, {}))
        assert observation["error"][0] == 0
        assert "it fell" in observation["error"][1]["message"]


@pytest.mark.filterwarnings("ignore:.*A Box observation space (minimum|maximum) value is:UserWarning")
def test_check_env(echo_tools: LiveServer) -> None:
    with gymnasium.make("openenv/Remote-v0", base_url=echo_tools.base_url) as env:
        check_env(env.unwrapped)


def test_many_at_once(echo_tools: LiveServer) -> None:
    envs = gymnasium.make_vec("openenv/Remote-v0", num_envs=3, base_url=echo_tools.base_url)
    with envs:
        envs.reset(seed=1)
        observations, *_ = envs.step([(0, {"message": text}) for text in "abc"])
        assert [json.loads(text)["data"] for _, text in observations["result"]] == ["a", "b", "c"]
        envs.step(envs.action_space.sample())
