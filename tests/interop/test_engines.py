"""OpenEnv's own client, unmodified, plays what an engine serves."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
from openenv.core import GenericEnvClient

from openenv_gym.engines.app import create_engine_app
from tests.servers import LiveServer


def test_openenvs_client_plays_cartpole(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("gymnasium:CartPole-v1"))
    local = gymnasium.make("CartPole-v1")
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        theirs, _ = local.reset(seed=3, options={"low": -0.01, "high": 0.01})
        ours = client.reset(seed=3, low=-0.01, high=0.01)
        assert np.array_equal(np.float32(ours.observation["observation"]), theirs)
        for action in (0, 1, 1, 1, 0):
            theirs, reward, terminated, _, _ = local.step(action)
            ours = client.step({"action": action})
            assert np.array_equal(np.float32(ours.observation["observation"]), theirs)
            assert (ours.reward, ours.done) == (reward, terminated)
    local.close()


def test_openenvs_client_reads_infos_as_metadata(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("gymnasium:FrozenLake-v1"))
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        client.reset(seed=1)
        result = client.step({"action": 2})
        assert isinstance(result.observation["observation"], int)
        assert 0 < result.metadata["gymnasium_info"]["prob"] < 1
