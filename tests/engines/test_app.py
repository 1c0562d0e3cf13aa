"""From a name to a served environment: what names mean, and what is said of those that mean nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.engines.app import create_engine_app, define_engine
from openenv_gym.engines.blueprint import parse_name
from openenv_gym.errors import MissingExtraError, UsageError
from openenv_gym.server.app import compose_app
from openenv_gym.server.definition import Execution
from openenv_gym.server.engine_table import Engine
from openenv_gym.server.serve import load_app
from openenv_gym.server.settings import ServerSettings
from tests.servers import LiveServer


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {}),
        ("?map_name=8x8&is_slippery=false", {"map_name": "8x8", "is_slippery": False}),
        ("?goal=%5B1%2C+2%5D&note=&ratio=0.5", {"goal": [1, 2], "note": "", "ratio": 0.5}),
    ],
)
def test_a_name_carries_options(query: str, options: dict[str, object]) -> None:
    parts = parse_name(f"gymnasium:module:space/Thing-v1{query}")
    assert (parts.engine, parts.environment_id) == ("gymnasium", "module:space/Thing-v1")
    assert parts.options == options


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gymnasium:", "names no environment"),
        ("gymnasium:CartPole-v1?sutton", "key=value"),
        ("gymnasium:CartPol-v1", "Did you mean: `CartPole`"),
        ("gymnasium:CartPole-v99", "version"),
        ("gymnasium:CartPole-v1?colour=red", "colour"),
        ("gymnasium:FrozenLake-v1?map_name=9x9", "cannot be made: .*9x9"),
        ("gymnasium:no_such_module:CartPole-v1", "no_such_module"),
        ("gymnasium:Nowhere/CartPole-v1", "Nowhere"),
        ("steam:Engine-v1", "there is no engine 'steam'; there are: gymnasium"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        define_engine(name)


def test_a_missing_library_is_named_with_its_extra() -> None:
    engine = Engine("steam", "", "steam:Engine-v1", "nowhere", "no_such_library", "steam-extra")
    with pytest.raises(MissingExtraError, match=r"openenv-gym\[steam-extra\]"):
        engine.require()


def test_the_server_loads_engines_by_the_same_names() -> None:
    app = load_app("gymnasium:CliffWalking-v1")
    assert app.title == "gymnasium:CliffWalking-v1 (OpenEnv)"


@pytest.mark.parametrize("execution", ["inline", "thread", "process"])
def test_an_environment_runs_anywhere(execution: str) -> None:
    definition = define_engine("gymnasium:FrozenLake-v1", execution=execution)
    assert definition.execution is Execution(execution)
    assert definition.capacity > 1
    if execution == "process":
        assert definition.recipe is not None
        assert definition.recipe.define(Execution.INLINE).name == "gymnasium:FrozenLake-v1"


def test_a_worker_process_finds_the_environment_by_its_name(live_server: Callable[..., LiveServer]) -> None:
    name = "gymnasium:tests.engines.zoo:zoo/Sampler-v0?kind=Box-image"
    definition = define_engine(name, execution="process")
    server = live_server(compose_app(definition, ServerSettings.from_environ()))
    env = RemoteEnv(server.base_url, render_mode="rgb_array")
    observation, info = env.reset(seed=4)
    assert observation.shape == (8, 6, 3)
    assert info["start"].dtype == np.float32
    env.step(env.action_space.sample())
    assert env.render().max() == 1
    env.close()


def test_options_reach_the_library(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("gymnasium:FrozenLake-v1?map_name=8x8"))
    env = RemoteEnv(server.base_url)
    assert env.observation_space == Discrete(64)
    env.close()


def test_the_embedded_default_serves_engines() -> None:
    env = RemoteEnv(server="gymnasium:FrozenLake-v1?is_slippery=false")
    try:
        env.reset(seed=1)
        assert env.step(2)[0] == 1
    finally:
        env.close()
