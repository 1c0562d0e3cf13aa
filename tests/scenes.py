"""The scenes of the code that docstrings and fragments of documents show, by its place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from fastapi import FastAPI
from gymnasium.spaces import Box

from echo_env import EchoAction, EchoEnv, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from git_env.server.app import make_app as make_git_app
from git_env.server.settings import GitSettings
from openenv_gym.engines import gymnasium_engine
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.server import create_app
from openenv_gym.spaces.space_codec import observation_codec
from openenv_gym.tools import CallToolAction
from tests.documents import ROOT, documents
from tests.shown_code import Block, Scene, docstring_blocks, fragments


def _echo() -> FastAPI:
    return create_app(EchoEnvironment, EchoAction, EchoObservation)


def _git_with_a_task() -> FastAPI:
    return make_git_app(GitSettings.from_environ({"TASK_REPOS": '{"bug_fix": ["sample-project", "main"]}'}))


def _engines_have_this_signature(names: Mapping[str, Any]) -> None:
    shown, real = (
        inspect.signature(one, eval_str=True) for one in (names["blueprint"], gymnasium_engine.blueprint)
    )
    assert shown == real


def _it_finds_a_client(names: Mapping[str, Any]) -> None:
    assert "EchoEnv" in names["__dir__"]()
    assert names["__getattr__"]("EchoEnv") is EchoEnv


def _the_calculator_adds(names: Mapping[str, Any]) -> None:
    calculator = names["Calculator"]()
    calculator.reset()
    observation = calculator.step(CallToolAction(tool_name="add", arguments={"a": 20, "b": 3}))
    assert observation.error is None and observation.result.data == 23
    calculator.close()


def _the_board_is(board: Box) -> Callable[[Mapping[str, Any]], None]:
    def check(names: Mapping[str, Any]) -> None:
        assert observation_codec(names["Seen"].model_json_schema()).space["board"] == board

    return check


def _the_contract_finds_echo_sound(names: Mapping[str, Any]) -> None:
    contract = names["TestEcho"]()
    with ProcessProvider(ready_timeout=100) as provider:
        contract.test_equal_seeds_give_equal_episodes(provider.start(contract.spec()))


def _the_ways_to_fail_are_some(names: Mapping[str, Any]) -> None:
    contract = names["TestProcessProvider"]()
    contract.test_what_cannot_be_started_is_reported()
    contract.test_what_dies_at_once_is_reported_with_the_end_of_its_log()
    assert contract.never_ready(0.1).spec.app.startswith("openenv_gym.testing.unsound_apps:")


def _it_plays(names: Mapping[str, Any]) -> None:
    names["env"].reset(seed=1)
    names["env"].step({"message": "hello"})


_AT_ECHO = {"servers": [_echo], "replaced": {"http://localhost:8000": "{0.base_url}"}}

SCENES: dict[str, Scene] = {
    # --- docstrings ---
    "openenv_gym/client/env_client.py:EnvClient": Scene(["openenv_gym", "echo_env.models"], **_AT_ECHO),
    "openenv_gym/client/env_client.py:EnvClient.from_docker_image": Scene(["git_env"], left_open=["client"]),
    "openenv_gym/client/fleet/fleet.py:Fleet": Scene(["openenv_gym"]),
    "openenv_gym/client/generic_client.py:GenericEnvClient": Scene(**_AT_ECHO),
    "openenv_gym/client/mcp_client.py:MCPToolClient": Scene(**_AT_ECHO),
    "openenv_gym/engines/blueprint.py": Scene(check=_engines_have_this_signature),
    "openenv_gym/lazy_names.py:lazy_names": Scene(names={"__name__": "echo_env"}, check=_it_finds_a_client),
    "openenv_gym/server/mcp_environment.py:MCPEnvironment": Scene(
        ["openenv_gym", "openenv_gym.errors", "fastmcp"], check=_the_calculator_adds
    ),
    "openenv_gym/server/tool_environment.py:ToolEnvironment": Scene(
        ["openenv_gym"], check=_the_calculator_adds
    ),
    "openenv_gym/spaces/array_field.py:ArrayOf": Scene(
        ["openenv_gym", "gymnasium.spaces"], check=_the_board_is(Box(-1, 1, (6, 7), np.int8))
    ),
    "openenv_gym/spaces/hints.py": Scene(
        ["openenv_gym", "gymnasium.spaces", "pydantic"], check=_the_board_is(Box(0, 2, (8, 8), np.int8))
    ),
    "openenv_gym/testing/environment_contract.py:EnvironmentContract": Scene(
        ["echo_env", "echo_env.server.echo_environment"], check=_the_contract_finds_echo_sound
    ),
    "openenv_gym/testing/provider_contract.py:ProviderContract": Scene(
        ["openenv_gym"], check=_the_ways_to_fail_are_some
    ),
    "openenv_gym/testing/provider_check.py:check_provider": Scene(names={"MyProvider": DockerProvider}),
    # --- fragments of documents ---
    "README.md#Gymnasium's own loop, with one id changed": Scene(
        names={"gymnasium": gymnasium},
        servers=[_echo, _echo, _echo],
        replaced={
            "http://localhost:8000": "{0.base_url}",
            "http://a:8000": "{1.base_url}",
            "http://b:8000": "{2.base_url}",
        },
        left_open=["env", "envs"],
    ),
    "README.md#Clients": Scene(
        names={"gymnasium": gymnasium},
        replaced={
            "https://github.com/owner/envs@main#subdirectory=envs/echo_env": str(ROOT / "envs/echo_env")
        },
        check=_it_plays,
        left_open=["env"],
    ),
    "README.md#Serve any environment": Scene(),
    "envs/git_env/README.md#Serving it": Scene(["git_env"]),
    "servers/README.md#One environment": Scene(
        names={"gymnasium": gymnasium},
        servers=[_echo],
        replaced={"http://127.0.0.1:8000": "{0.base_url}"},
        left_open=["env"],
    ),
    "servers/README.md#Replicas": Scene(
        names={"gymnasium": gymnasium},
        servers=[_echo] * 4,
        replaced={"range(8000, 8004)": "[{0.port}, {1.port}, {2.port}, {3.port}]"},
        left_open=["envs"],
    ),
    "servers/README.md#A swarm": Scene(names={"gymnasium": gymnasium}, left_open=["envs"]),
    "servers/gitea/README.md#Real Gitea, and the Git environment on it": Scene(
        servers=[_git_with_a_task], replaced={"http://127.0.0.1:8000": "{0.base_url}"}
    ),
    "servers/gitea/README.md#Real Gitea, and the Git environment on it:2": Scene(
        ["git_env"], left_open=["env"]
    ),
}

PLAYED_ELSEWHERE = {
    "README.md#Clients": "tests/providers/test_uv_provider.py",
    "README.md#Serve any environment": "tests/full/test_documents.py",
    "openenv_gym/client/env_client.py:EnvClient.from_docker_image": "tests/docker/test_shown_code.py",
    "openenv_gym/testing/provider_check.py:check_provider": "tests/docker/test_shown_code.py",
    "servers/gitea/README.md#Real Gitea, and the Git environment on it:2": "tests/docker/test_compose.py",
    "servers/README.md#A swarm": "tests/docker/test_swarm.py",
}
"""What has no place among the quick tests, and the file that plays it."""

PICTURES = {
    "openenv_gym/errors.py",
    "openenv_gym/server/multiplexer.py",
    "openenv_gym/server/worker_messages.py",
    "openenv_gym/wire/client_session.py",
    "openenv_gym/wire/pipe.py",
    "openenv_gym/wire/server_session.py",
    "openenv_gym/wire/v1/hosted_session.py",
    "openenv_gym/wire/v1/tracked_session.py",
    "openenv_gym/wire/v1/values.py",
}
"""The blocks of docstrings that are tables and drawings."""


def shown_blocks() -> list[Block]:
    """Everything that has a scene, or is run without one: pictures are left out."""
    return [*(block for block in docstring_blocks() if block.place not in PICTURES), *fragments(documents())]


def play(block: Block, **more: Any) -> None:
    """Run a block in its scene, with more fields of it; what needs nothing has none."""
    replace(SCENES.get(block.place, Scene()), **more).play(block)


def blocks_played_in(file: str) -> list[Block]:
    """The blocks that another file of tests plays."""
    return [block for block in shown_blocks() if PLAYED_ELSEWHERE.get(block.place) == file]
