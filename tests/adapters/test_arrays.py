"""Arrays travel as arrays: exact, each lane its own, and nobody's buffer but the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from tests.adapters.pictures import SPACES, app
from tests.servers import LiveServer

DIALECTS = ["v1", "openenv"]
LANES = 5


@pytest.fixture(scope="module")
def painter() -> Iterator[LiveServer]:
    server = LiveServer(app).start()
    yield server
    server.stop()


def check(observation: Any, values: Any) -> None:
    """Compare a batch of observations with the values that the lanes painted."""
    for name, space in SPACES.items():
        array = observation[name]
        values = np.asarray(values)
        expected = np.broadcast_to(values.reshape(*values.shape, *(1 for _ in space.shape)), array.shape)
        assert array.dtype == space.dtype and array.shape == (*values.shape, *space.shape)
        np.testing.assert_array_equal(array, expected)
        assert array.flags.writeable and array.flags.aligned


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_lane_gets_its_own_picture_and_keeps_it(painter: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(painter.base_url, num_envs=LANES, dialect=dialect) as envs:
        check(envs.reset(seed=1)[0], [0] * LANES)
        first = envs.step([{"value": value} for value in range(1, LANES + 1)])[0]
        second = envs.step([{"value": value} for value in range(101, LANES + 101)])[0]
        check(first, range(1, LANES + 1))
        check(second, range(101, LANES + 101))
        envs.send([{"value": 7}, {"value": 9}], [4, 2])
        observation, _, _, _, infos = envs.recv(2)
        check(observation, [{4: 7, 2: 9}[lane] for lane in infos["env_id"].tolist()])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_single_environments_arrays_are_the_callers(painter: LiveServer, dialect: Dialect) -> None:
    env = RemoteEnv(painter.base_url, dialect=dialect)
    try:
        first = env.reset(seed=1)[0]
        second = env.step({"value": 200})[0]
        check(first, 0)
        check(second, 200)
        second["pixels"][0, 0, 0] = 1  # it is nobody else's
        check(env.step({"value": 3})[0], 3)
    finally:
        env.close()
