"""send/recv: lanes handed out as they become ready, synchronously and under asyncio."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from openenv_gym import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import UsageError
from tests.adapters.corridor import CorridorAction
from tests.servers import LiveServer

STAY = CorridorAction(direction="stay")
RUN = CorridorAction(direction="right", speed=3)


def test_recv_hands_out_what_was_sent(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=4) as envs:
        envs.reset(seed=1, options={"length": 90})
        envs.send([STAY, STAY], [3, 1])
        obs, rewards, terminations, truncations, info = envs.recv(min_envs=2)
        assert sorted(info["env_id"].tolist()) == [1, 3]
        assert rewards.shape == terminations.shape == truncations.shape == (2,)
        assert obs["wind"].shape == (2,)
        assert len(obs["sign"]) == 2


def test_a_rollout_by_send_and_recv_equals_lockstep(corridor: LiveServer, dialect: Dialect) -> None:
    with (
        RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3) as lockstep,
        RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3) as partial,
    ):
        lockstep.reset(seed=5, options={"length": 20})
        partial.reset(seed=5, options={"length": 20})
        expected = [[] for _ in range(3)]  # type: list[list[tuple[float, bool, float]]]
        for _ in range(15):
            obs, rewards, terminations, truncations, _ = lockstep.step([RUN] * 3)
            for lane in range(3):
                ended = bool(terminations[lane] | truncations[lane])
                expected[lane].append((rewards[lane], ended, obs["wind"][lane]))
        seen = [[] for _ in range(3)]  # type: list[list[tuple[float, bool, float]]]
        partial.send([RUN] * 3, range(3))
        while any(len(lane) < 15 for lane in seen):
            obs, rewards, terminations, truncations, info = partial.recv(min_envs=1)
            for row, lane in enumerate(info["env_id"].tolist()):
                seen[lane].append(
                    (rewards[row], bool(terminations[row] | truncations[row]), obs["wind"][row])
                )
                if len(seen[lane]) < 15:
                    partial.send([RUN], [lane])
        assert seen == expected


def test_same_step_hands_out_the_final_observation(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=2, autoreset_mode="SameStep") as envs:
        envs.reset(seed=1, options={"length": 1})
        for _ in range(20):
            envs.send([RUN, RUN], [0, 1])
            obs, _, terminations, truncations, info = envs.recv(min_envs=2)
            for row in np.flatnonzero(terminations | truncations):
                assert info["_final_obs"][row]
                assert info["final_obs"][row]["position"] >= 0
                assert obs["position"][row] == 0, "the observation is the next episode's first"


def test_send_reset(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=2) as envs:
        envs.send_reset(seed=9, options={"length": 90})
        obs, rewards, terminations, truncations, info = envs.recv(min_envs=2)
        assert rewards.tolist() == [0.0, 0.0]
        assert not terminations.any()
        assert not truncations.any()
        order = info["env_id"].tolist()
        again, _ = envs.reset(seed=9, options={"length": 90})
        assert [again["wind"][lane] for lane in order] == obs["wind"].tolist()


def test_misuse(corridor: LiveServer) -> None:
    with RemoteVectorEnv(corridor.base_url, num_envs=2) as envs:
        with pytest.raises(UsageError, match="send"):
            envs.recv()
        envs.reset(seed=1)
        envs.send([STAY], [0])
        with pytest.raises(UsageError, match="recv"):
            envs.send([STAY], [0])
        with pytest.raises(UsageError, match="recv"):
            envs.step([STAY, STAY])
        with pytest.raises(UsageError, match="in flight"):
            envs.recv(min_envs=2)
        with pytest.raises(UsageError, match="outside"):
            envs.send([STAY], [2])
        with pytest.raises(UsageError, match="twice"):
            envs.send([STAY, STAY], [1, 1])
        envs.recv()


def test_a_reset_of_all_gives_up_what_is_in_flight(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3) as envs:
        first, _ = envs.reset(seed=1, options={"length": 90})
        stepped = envs.step([STAY] * 3)
        for leave in (
            lambda: envs.send([STAY, STAY], [0, 2]),
            lambda: envs.step_async([STAY] * 3),
            lambda: envs.send_reset([1]),
        ):
            leave()
            again, _ = envs.reset(seed=1, options={"length": 90})
            assert data_equivalence(first, again)
            assert data_equivalence(stepped, envs.step([STAY] * 3))
        envs.send([STAY], [0])
        with pytest.raises(UsageError, match="recv"):
            envs.reset(options={"reset_mask": np.array([True, False, False])})


def test_step_async_and_wait(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=2) as envs:
        envs.reset(seed=1, options={"length": 90})
        with pytest.raises(UsageError, match="step_async"):
            envs.step_wait()
        envs.step_async([STAY, STAY])
        with pytest.raises(UsageError, match="step_wait"):
            envs.step_async([STAY, STAY])
        assert envs.step_wait()[1].shape == (2,)


async def test_asyncio_face(corridor: LiveServer, dialect: Dialect) -> None:
    envs = await asyncio.to_thread(RemoteVectorEnv, corridor.base_url, dialect=dialect, num_envs=4)
    try:
        _, infos = await envs.aio.reset(seed=1, options={"length": 90})
        assert infos["_metadata"].all()
        assert (await envs.aio.step([STAY] * 4))[1].shape == (4,)
        envs.aio.send([STAY] * 4, range(4))
        seen: set[int] = set()
        while len(seen) < 4:
            *_, info = await envs.aio.recv(min_envs=1)
            seen |= set(info["env_id"].tolist())
        envs.aio.send_reset([2], seed=3)
        *_, info = await envs.aio.recv()
        assert info["env_id"].tolist() == [2]
    finally:
        await asyncio.to_thread(envs.close)


async def test_asyncio_rollouts_do_not_block_the_loop(corridor: LiveServer, dialect: Dialect) -> None:
    envs = await asyncio.to_thread(RemoteVectorEnv, corridor.base_url, dialect=dialect, num_envs=8)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    try:
        await envs.aio.reset(seed=1, options={"length": 90})
        before = ticks
        for _ in range(20):
            await envs.aio.step([STAY] * 8)
        assert ticks > before
    finally:
        ticker.cancel()
        await asyncio.to_thread(envs.close)


async def test_a_reset_makes_a_cancelled_step_good(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteVectorEnv(corridor.base_url, dialect=dialect, num_envs=3) as envs:
        first, _ = await envs.aio.reset(seed=1, options={"length": 90})
        stepped = await envs.aio.step([STAY] * 3)
        for turns in range(4):
            cancelled = asyncio.create_task(envs.aio.step([STAY] * 3))
            for _ in range(turns):
                await asyncio.sleep(0)
            cancelled.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await cancelled
            again, _ = await envs.aio.reset(seed=1, options={"length": 90})
            assert data_equivalence(first, again)
            assert data_equivalence(stepped, await envs.aio.step([STAY] * 3))
