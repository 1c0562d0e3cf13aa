"""Faults of a vector environment stay in their lane."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from openenv_gym import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import EnvironmentFailedError, NoHealthyServerError, NotResetError, UsageError
from tests.adapters.corridor import CorridorAction
from tests.proxy import Proxy
from tests.servers import LiveServer

STAY = CorridorAction(direction="stay")
EXPLODE = CorridorAction(direction="stay", shout="explode")


def test_one_lane_raises_and_the_others_go_on(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3) as envs:
        first, _ = envs.reset(seed=1, options={"length": 90})
        obs, rewards, terminations, truncations, infos = envs.step([STAY, EXPLODE, STAY])
        assert not terminations.any()
        assert truncations[1]
        assert infos["fault"][1].startswith("EnvironmentFailedError")
        assert infos["fault"][0] == infos["fault"][2] == ""
        assert rewards[1] == 0.0
        assert not infos["reward_given"][1]
        assert obs["wind"][1] == first["wind"][1]
        _, rewards, _, truncations, infos = envs.step([STAY, EXPLODE, STAY])
        assert rewards[1] == 0.0, "NEXT_STEP ignores the action of a lane that resets"
        assert infos["fault"][1] == ""
        assert not truncations[1]


def test_raising_is_a_choice(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3, on_fault="raise") as envs:
        envs.reset(seed=1, options={"length": 90})
        with pytest.raises(EnvironmentFailedError, match="exploded") as caught:
            envs.step([STAY, EXPLODE, STAY])
        assert caught.value.__notes__ == ["(lane 1 of 3)"]
        envs.step([STAY, STAY, STAY])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_a_dead_server_truncates_its_lanes_and_they_move(
    corridor: LiveServer, mode: str, dialect: Dialect
) -> None:
    with Proxy(corridor.base_url) as doomed, Proxy(corridor.base_url) as healthy:
        urls = [doomed.base_url, healthy.base_url]
        options: dict[str, Any] = {"autoreset_mode": mode, "dialect": dialect, "outage_timeout": 0.5}
        with RemoteVectorEnv(urls, num_envs=4, **options) as envs:
            envs.reset(seed=1, options={"length": 90})
            doomed.refuse()
            doomed.cut()
            _, rewards, _, truncations, infos = envs.step([STAY] * 4)
            finals = infos["final_info"] if mode == "SameStep" else infos
            faults = [bool(fault) for fault in finals["fault"]]
            assert sum(faults) == 2, "half of the lanes were on the server that died"
            assert all(truncations[index] for index, fault in enumerate(faults) if fault)
            assert all(rewards[index] == 0.0 for index, fault in enumerate(faults) if fault)
            if mode == "Disabled":
                envs.reset(options={"reset_mask": truncations.copy()})
            else:
                envs.step([STAY] * 4)
            infos = envs.step([STAY] * 4)[4]
            assert "final_info" not in infos or not any(infos["final_info"]["fault"])
            assert not any(infos["fault"]), "every lane is on the healthy server now"


def test_no_healthy_server_is_said_within_the_reset_timeout(corridor: LiveServer, dialect: Dialect) -> None:
    options: dict[str, Any] = {"reset_timeout": 2.0, "outage_timeout": 0.5, "dialect": dialect}
    with (
        Proxy(corridor.base_url) as proxy,
        RemoteVectorEnv(proxy.base_url, num_envs=2, **options) as envs,
    ):
        envs.reset(seed=1)
        proxy.refuse()
        proxy.cut()
        *_, truncations, _ = envs.step([STAY, STAY])
        assert truncations.all()
        with pytest.raises(NoHealthyServerError):
            envs.step([STAY, STAY])
        proxy.refuse(False)
        envs.reset(seed=1)
        assert not any(envs.step([STAY, STAY])[4]["fault"])


def test_a_hung_server_costs_its_own_deadline_only(corridor: LiveServer) -> None:
    # In OpenEnv's dialect; in openenv-gym.v1 a silent connection is replaced first (tests/client/v1).
    with Proxy(corridor.base_url) as hung, Proxy(corridor.base_url) as healthy:
        urls = [hung.base_url, healthy.base_url]
        with RemoteVectorEnv(urls, num_envs=2, step_timeout=0.3, dialect="openenv") as envs:
            envs.reset(seed=1, options={"length": 90})
            hung.stall()
            envs.send([STAY, STAY], [0, 1])
            *_, info = envs.recv(min_envs=1)
            assert info["fault"].tolist() == [""]
            *_, truncations, info = envs.recv(min_envs=1)
            assert truncations.all()
            assert "Timeout" in info["fault"][0]


def test_misuse_is_refused_before_anything_is_sent(corridor: LiveServer) -> None:
    with RemoteVectorEnv(corridor.base_url, num_envs=2, autoreset_mode="Disabled") as envs:
        with pytest.raises(NotResetError, match="reset"):
            envs.step([STAY, STAY])
        with pytest.raises(UsageError, match="never reset"):
            envs.reset(options={"reset_mask": np.array([True, False])})
        envs.reset(seed=1, options={"length": 90})
        with pytest.raises(UsageError, match="1 actions for 2 lanes"):
            envs.step([STAY])
        with pytest.raises(UsageError, match="reset_mask"):
            envs.reset(options={"reset_mask": [True, False]})
        with pytest.raises(UsageError, match="3 seeds"):
            envs.reset(seed=[1, 2, 3])
        with pytest.raises(UsageError, match="lanes"):
            envs.reset(options={"lanes": [{}]})
        envs.step([STAY, STAY])


def test_lane_options_and_task_sampler(corridor: LiveServer, dialect: Dialect) -> None:
    asked: list[int] = []

    def sample(lane: int, rng: np.random.Generator) -> dict[str, int]:
        asked.append(lane)
        return {"length": 1}

    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3, task_sampler=sample) as envs:
        envs.reset(seed=1, options={"length": 50, "lanes": {1: {"length": 60}}})
        assert [state["length"] for state in envs.state()] == [50, 60, 50]
        assert asked == []
        envs.reset(seed=1, options={"lanes": [{"length": 7}, None, {"length": 8}]})
        assert asked == [1]
        assert [state["length"] for state in envs.state()] == [7, 1, 8]
        _, infos = envs.reset(seed=1)
        assert asked == [1, 0, 1, 2]
        assert [json.loads(text) for text in infos["metadata"]] == [{"length": 1}] * 3
        ran = CorridorAction(direction="right", speed=3)
        for _ in range(3):
            envs.step([ran] * 3)
        assert len(asked) > 4, "autoresets ask the sampler too"


def test_actions_batched_or_one_a_lane(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=2) as envs:
        batched = {
            "direction": np.array([1, 2]),
            "speed": np.array([1, 0]),
            "shout": ("a", "bé"),
        }
        models = [
            CorridorAction(direction="right", speed=2, shout="a"),
            CorridorAction(direction="stay", speed=1, shout="bé"),
        ]
        results = []
        for actions in (batched, models, tuple(models)):
            envs.reset(seed=1, options={"length": 90})
            results.append(envs.step(actions))
        for other in results[1:]:
            assert data_equivalence(results[0][0]["position"], other[0]["position"])
            assert other[0]["echoes"] == results[0][0]["echoes"] == (("a",), ("éb",))
