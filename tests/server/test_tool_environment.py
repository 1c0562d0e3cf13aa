"""Environments of tools that are their own methods: without a server, and on one."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym import MCPToolClient
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import NotSupportedError, ToolCallError, UsageError
from openenv_gym.models import Action, State
from openenv_gym.server import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    ToolEnvironment,
    create_app,
    tool,
)
from openenv_gym.server.toolbox import Toolbox
from tests.dialects import every_encoding
from tests.server.sample_environments import Heard, Parrot, Say
from tests.server.tool_samples import Counter
from tests.servers import LiveServer


def call(env: ToolEnvironment[Any], name: str, **arguments: Any) -> CallToolObservation:
    observation = env.step(CallToolAction(tool_name=name, arguments=arguments))
    assert isinstance(observation, CallToolObservation)
    assert observation.tool_name == name
    return observation


def test_tools_are_described_by_signature_and_docstring():
    observation = Counter().step(ListToolsAction())
    assert isinstance(observation, ListToolsObservation)
    assert [listed.name for listed in observation.tools] == ["add", "tell", "fail", "model"]
    add = observation.tools[0]
    assert add.description == "Add to the total."
    assert add.input_schema == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "amount": {"type": "integer", "minimum": 0, "description": "How much"},
            "times": {"type": "integer", "default": 1},
        },
        "required": ["amount"],
    }


def test_a_result_has_fastmcps_parts():
    env = Counter()
    result = call(env, "add", amount=2, times=3).result
    assert (result.data, result.structured_content, result.is_error) == (6, {"result": 6}, False)
    assert result.content == [{"type": "text", "text": "6", "annotations": None, "meta": None}]
    told = call(env, "tell").result
    assert told.data == told.structured_content == {"total": 6, "text": "zwölf 🚀"}
    assert told.content[0]["text"] == '{"total": 6, "text": "zwölf 🚀"}'


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "words"),
    [
        ("nothing", {}, "tool_not_found", "Unknown tool: 'nothing'"),
        ("reset", {}, "tool_not_found", "Unknown tool"),
        ("_step_impl", {}, "tool_not_found", "Unknown tool"),
        ("add", {}, "invalid_args", "amount: Missing required argument"),
        ("add", {"amount": -1}, "invalid_args", "amount: Input should be greater"),
        ("add", {"amount": "many"}, "invalid_args", "amount: Input should be a valid integer"),
        ("add", {"amount": 1, "self": 2}, "invalid_args", "self: Unexpected keyword argument"),
        ("fail", {}, "execution_error", "LookupError: file not found"),
        ("model", {}, "execution_error", "ValidationError: 2 validation errors for Say"),
    ],
)
def test_failures_are_told_in_band(name, arguments, kind, words):
    env = Counter()
    observation = call(env, name, **arguments)
    assert observation.result is None
    assert observation.error is not None
    assert observation.error.error_type == kind
    assert observation.error.message.startswith(words)
    assert env.total == 0


@pytest.mark.parametrize("name", ["reset", "step", "state", "close"])
def test_reserved_names_are_refused(name):
    with pytest.raises(ValueError, match=f"tools cannot be named {name}"):
        Toolbox().add(lambda: None, name)


def test_a_reserved_method_is_refused_with_its_class():
    with pytest.raises(ValueError, match="close"):

        class Closing(Counter):
            @tool
            def close(self) -> None:
                """A tool that must not be."""


def test_a_coroutine_function_is_refused_with_its_class():
    with pytest.raises(UsageError, match=r"Slow\.wait is a coroutine function"):

        class Slow(Counter):
            @tool
            async def wait(self) -> None:
                """Wait."""


def test_other_actions_need_a_place():
    with pytest.raises(UsageError, match="not Action"):
        Counter().step(Action())


def test_subclasses_inherit_tools_and_replace_them():
    class Louder(Counter):
        def tell(self) -> dict[str, Any]:
            """Tell it loudly."""
            return {"total": "SEVEN"}

        @tool
        def more(self) -> int:
            """Add one."""
            return self.add(1)

    env = Louder()
    assert [listed.name for listed in env.toolbox.tools] == ["add", "tell", "fail", "model", "more"]
    assert call(env, "tell").result.data == {"total": "SEVEN"}
    assert call(env, "more").result.data == 1


@pytest.fixture(scope="module")
def counter():
    server = LiveServer(create_app(Counter, CallToolAction, CallToolObservation)).start()
    yield server
    server.stop()


@every_encoding
def test_a_client_lists_and_calls_them(counter, dialect: Dialect):
    with MCPToolClient(base_url=counter.base_url, dialect=dialect).sync() as client:
        assert client.has_tool("add")  # before any reset, as OpenEnv's clients do
        assert not client.has_tool("reset")
        described = client.get_tool("tell")
        assert described is not None
        assert described.description == "Tell the total."
        client.reset()
        assert client.call_tool("add", amount=3) == 3
        result = client.step(CallToolAction(tool_name="add", arguments={"amount": 4}))
        assert isinstance(result.observation, CallToolObservation)
        assert result.observation.result["data"] == 7
        assert client.call_tool("tell") == {"total": 7, "text": "zwölf 🚀"}
        for name, arguments, kind in [
            ("nothing", {}, "tool_not_found"),
            ("add", {"amount": "x"}, "invalid_args"),
            ("fail", {}, "execution_error"),
        ]:
            with pytest.raises(ToolCallError) as caught:
                client.call_tool(name, **arguments)
            assert caught.value.error_type == kind
        listed = client.step(ListToolsAction()).observation
        assert isinstance(listed, ListToolsObservation)
        assert listed.tools == client.list_tools(use_cache=False)
        assert client.state().model_extra == {"total": 7}


async def test_the_asynchronous_client(counter):
    async with MCPToolClient(base_url=counter.base_url) as client:
        assert (await client.list_tools())[0].name == "add"
        assert await client.call_tool("add", amount=1) == 1
        assert await client.has_tool("tell")
        with pytest.raises(ToolCallError, match="Unknown tool"):
            await client.call_tool("nothing")


async def test_sessions_are_apart(counter):
    async with MCPToolClient(base_url=counter.base_url) as one:
        other = await one.new_session()
        assert await one.call_tool("add", amount=5) == 5
        assert await other.call_tool("add", amount=1) == 1


def test_an_environment_without_tools_says_so():
    server = LiveServer(create_app(Parrot, Say, Heard)).start()
    try:
        with MCPToolClient(base_url=server.base_url).sync() as client:
            with pytest.raises(NotSupportedError, match="offers no MCP tools"):
                client.list_tools()
            with pytest.raises(ToolCallError, match="offers no MCP tools"):
                client.call_tool("add")
    finally:
        server.stop()


def test_the_state_is_a_models():
    assert isinstance(Counter().state, State)
