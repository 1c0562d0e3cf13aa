"""Environments of FastMCP's tools: without a server, and on one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastmcp import FastMCP

from openenv_gym import MCPToolClient
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import ToolCallError
from openenv_gym.models import Observation, State
from openenv_gym.server import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    MCPEnvironment,
    create_app,
)
from tests.dialects import every_encoding
from tests.server.talk import wait_until_empty
from tests.server.tool_samples import Desk, DeskInProcesses, DeskOnThreads, Say
from tests.servers import LiveServer


@pytest.fixture
def desk() -> Iterator[Desk]:
    env = Desk()
    yield env
    env.close()


def call(env: MCPEnvironment, tool: str, /, timeout_s: float | None = 10.0, **arguments: Any) -> Any:
    return env.step(CallToolAction(tool_name=tool, arguments=arguments), timeout_s=timeout_s)


def test_tools_by_step(desk):
    listed = desk.step(ListToolsAction()).tools
    assert [tool.name for tool in listed] == ["add", "look", "fail", "dawdle", "block", "remember"]
    assert listed[0].description == "Add two numbers."
    assert listed[0].input_schema["required"] == ["a", "b"]
    assert call(desk, "add", a=1, b=2).result.data == 3
    assert call(desk, "look").result.data == {"seen": [1, 2.5, "é"]}


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("nothing", {}, "tool_not_found"),
        ("add", {}, "invalid_args"),
        ("add", {"a": "x", "b": 1}, "invalid_args"),
        ("add", {"a": 1, "b": 2, "c": 3}, "invalid_args"),
        ("fail", {}, "execution_error"),  # whatever words its message has
    ],
)
def test_failures_are_told_in_band(desk, name, arguments, kind):
    observation = call(desk, name, **arguments)
    assert (observation.result, observation.error.error_type) == (None, kind)
    assert call(desk, "add", a=1, b=1).result.data == 2


@pytest.mark.parametrize("name", ["dawdle", "block"])
def test_a_call_that_takes_too_long(desk, name):
    observation = call(desk, name, timeout_s=0.05, seconds=0.5)
    assert observation.error.error_type == "timeout"
    assert call(desk, "add", a=1, b=1).result.data == 2


def test_one_mcp_session_lasts_as_long_as_the_instance(desk):
    assert [call(desk, "remember", text=text).result.data for text in "abc"] == ["None", "a", "b"]


async def test_step_async_on_any_loop(desk):
    observation = await desk.step_async(CallToolAction(tool_name="add", arguments={"a": 1, "b": 2}))
    assert observation.result.data == 3
    assert call(desk, "add", a=2, b=2).result.data == 4  # and the synchronous one beside a running loop
    assert (await desk.step_async(Say(message="hi"))).metadata == {"heard": "hi"}


async def test_the_mcp_session_can_be_held(desk):
    def use() -> list[str]:
        async def listed() -> list[str]:
            async with desk.mcp_session() as client:
                return [tool.name for tool in await client.list_tools()]

        return asyncio.run(listed())

    assert "add" in await asyncio.to_thread(use)


class ByMode(MCPEnvironment):
    """Registers tools the way OpenEnv's documentation does: before the base class is set up."""

    def __init__(self, mode: str | None) -> None:
        self._mode = mode

        @self.tool(mode="production")
        def greet(name: str) -> str:
            return f"live {name}"

        def greet_in_training(name: str, times: int = 1) -> str:
            return f"trained {name} {times}"

        greet_in_training.__name__ = "greet"
        self.tool(mode="simulation")(greet_in_training)

        super().__init__(FastMCP("by-mode"))

        @self.tool()
        def always() -> str:
            return "here"

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        return Observation()

    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()


@pytest.mark.parametrize(
    ("mode", "names", "answer"),
    [
        ("production", ["always", "greet"], "live you"),
        ("simulation", ["always", "greet"], "trained you 1"),
        (None, ["always"], None),
    ],
    ids=str,
)
def test_tools_by_mode(mode, names, answer):
    env = ByMode(mode)
    assert sorted(tool.name for tool in env.step(ListToolsAction()).tools) == names
    observation = call(env, "greet", name="you")
    assert (observation.result and observation.result.data) == answer
    assert call(env, "always").result.data == "here"
    env.close()


def test_no_other_modes():
    env = ByMode(None)
    with pytest.raises(ValueError, match="dreaming"):
        env.tool(mode="dreaming")
    with pytest.raises(ValueError, match="reserved"):
        env.tool()(env.reset)


@pytest.mark.parametrize("name", ["reset", "step", "state", "close"])
def test_reserved_names_are_refused(name):
    server: FastMCP[Any] = FastMCP("reserved")
    server.tool(lambda: None, name=name)

    class Reserved(ByMode):
        def __init__(self) -> None:
            MCPEnvironment.__init__(self, server)

    with pytest.raises(ValueError, match=f"tools cannot be named {name}"):
        Reserved()


@pytest.fixture(
    scope="module", params=[Desk, DeskOnThreads, DeskInProcesses], ids=["async", "thread", "process"]
)
def served(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    server = LiveServer(create_app(request.param, CallToolAction, CallToolObservation)).start()
    yield server
    server.stop()


@every_encoding
def test_on_a_server(served, dialect: Dialect):
    with MCPToolClient(base_url=served.base_url, dialect=dialect).sync() as client:
        assert client.call_tool("add", a=1, b=2) == 3
        reset = client.reset()
        assert reset.observation.metadata == {"status": "ready"}
        result = client.step(CallToolAction(tool_name="look"))
        assert isinstance(result.observation, CallToolObservation)
        assert result.observation.result["structured_content"] == {"seen": [1, 2.5, "é"]}
        assert client.call_tool("remember", text="a") == "None"
        assert client.call_tool("remember", text="b") == "a"
        with pytest.raises(ToolCallError, match="Unknown tool"):
            client.call_tool("nothing")
        with client.new_session() as other:
            assert other.call_tool("remember", text="c") == "None"
    wait_until_empty(served)


def test_a_deadline_of_the_client_is_the_tools(served):
    with MCPToolClient(base_url=served.base_url, dialect="v1").sync() as client:
        client.reset()
        client.list_tools()  # connects the environment's MCP session, which the deadline is not for
        slow = CallToolAction(tool_name="dawdle", arguments={"seconds": 30})
        result = client.step(slow, timeout=0.5)
        assert result.observation.error.error_type == "timeout"
        assert client.call_tool("add", a=1, b=1) == 2


def test_without_fastmcp_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['fastmcp'] = None\n"
        "import openenv_gym.server\n"
        "from openenv_gym.server import ToolEnvironment\n"
        "try:\n    openenv_gym.server.MCPEnvironment\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'openenv-gym[mcp]'" in done.stdout
