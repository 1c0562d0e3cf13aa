"""RemoteVectorEnv against gymnasium's SyncVectorEnv over RemoteEnvs: same lanes, seeds and actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from openenv_gym import RemoteEnv, RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from tests.servers import LiveServer

LANES = 5
MODES = list(AutoresetMode)
Pair = tuple[SyncVectorEnv, RemoteVectorEnv]
MakePair = Callable[..., Pair]


@pytest.fixture
def make_pair(corridor: LiveServer, dialect: Dialect) -> Iterator[MakePair]:
    opened: list[gymnasium.vector.VectorEnv[Any, Any, Any]] = []

    def make(mode: AutoresetMode, max_episode_steps: int | None = None, **options: Any) -> Pair:
        def one() -> gymnasium.Env[Any, Any]:
            env: gymnasium.Env[Any, Any] = RemoteEnv(corridor.base_url, dialect=dialect)
            return env if max_episode_steps is None else TimeLimit(env, max_episode_steps)

        local = SyncVectorEnv([one for _ in range(LANES)], autoreset_mode=mode)
        remote = RemoteVectorEnv(
            corridor.base_url,
            num_envs=LANES,
            autoreset_mode=mode,
            max_episode_steps=max_episode_steps,
            dialect=dialect,
            **options,
        )
        opened.extend([local, remote])
        return local, remote

    yield make
    for envs in opened:
        envs.close()


def assert_equal(ours: Any, theirs: Any, where: str) -> None:
    """`data_equivalence`, plus tuples of text and object arrays of observations."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), f"{where}: {sorted(ours)} != {sorted(theirs)}"
        for key in theirs:
            assert_equal(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(theirs, np.ndarray) and theirs.dtype == object:
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == object
        assert_equal(list(ours), list(theirs), where)
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs), where
        assert len(ours) == len(theirs), where
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_equal(a, b, f"{where}[{index}]")
    elif isinstance(theirs, np.ndarray):
        assert data_equivalence(ours, theirs), f"{where}: {ours!r} != {theirs!r}"
    else:
        assert ours == theirs, f"{where}: {ours!r} != {theirs!r}"


def assert_same_steps(pair: Pair, steps: int, mode: AutoresetMode) -> int:
    """Step both with the same actions; returns how many episodes ended."""
    theirs, ours = pair
    ours.action_space.seed(7)
    ended = 0
    for step in range(steps):
        actions = ours.action_space.sample()
        a, b = ours.step(actions), theirs.step(actions)
        for name, x, y in zip(("obs", "reward", "terminated", "truncated", "info"), a, b, strict=True):
            assert_equal(x, y, f"step {step}: {name}")
        over = b[2] | b[3]
        ended += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            # gymnasium pops the mask from the caller's options, so each side gets its own.
            a2 = ours.reset(options={"reset_mask": over.copy()})
            b2 = theirs.reset(options={"reset_mask": over.copy()})
            assert_equal(a2, b2, f"step {step}: masked reset")
    return ended


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_spaces_and_metadata(make_pair: MakePair, mode: AutoresetMode) -> None:
    theirs, ours = make_pair(mode)
    for name in ("single_action_space", "single_observation_space", "action_space", "observation_space"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.metadata["autoreset_mode"] is mode
    assert ours.num_envs == theirs.num_envs


@pytest.mark.parametrize("seed", [3, [5, None, 7, 5, 9], None])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_episodes_are_the_same(make_pair: MakePair, mode: AutoresetMode, seed: Any) -> None:
    pair = make_pair(mode)
    theirs, ours = pair
    if seed is None or isinstance(seed, list):
        # An unseeded lane draws from its own generator: give both sides the same one first.
        ours.reset(seed=11)
        theirs.reset(seed=11)
    assert_equal(ours.reset(seed=seed), theirs.reset(seed=seed), "reset")
    assert assert_same_steps(pair, 40, mode) >= LANES


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_time_limits_are_the_same(make_pair: MakePair, mode: AutoresetMode) -> None:
    pair = make_pair(mode, max_episode_steps=3)
    theirs, ours = pair
    assert_equal(ours.reset(seed=1), theirs.reset(seed=1), "reset")
    assert assert_same_steps(pair, 15, mode) >= LANES


def test_options_reach_every_lane(make_pair: MakePair) -> None:
    theirs, ours = make_pair(AutoresetMode.NEXT_STEP)
    options = {"length": 2}
    assert_equal(ours.reset(seed=2, options=options), theirs.reset(seed=2, options=options), "reset")


def test_reset_mask_leaves_the_other_lanes(make_pair: MakePair) -> None:
    pair = make_pair(AutoresetMode.DISABLED)
    theirs, ours = pair
    ours.reset(seed=4)
    theirs.reset(seed=4)
    mask = np.array([True, False, False, True, False])
    a = ours.reset(seed=20, options={"reset_mask": mask.copy(), "length": 3})
    b = theirs.reset(seed=20, options={"reset_mask": mask.copy(), "length": 3})
    assert_equal(a, b, "masked reset")
    assert_same_steps(pair, 20, AutoresetMode.DISABLED)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_observations_are_the_callers_own(make_pair: MakePair, mode: AutoresetMode) -> None:
    _, ours = make_pair(mode)
    first, _ = ours.reset(seed=1)
    before = first["wind"].copy()
    ours.step(ours.action_space.sample())
    assert data_equivalence(first["wind"], before)
    assert not np.shares_memory(first["wind"], ours.reset(seed=1)[0]["wind"])


def test_without_copies_one_buffer_is_reused(make_pair: MakePair) -> None:
    theirs, ours = make_pair(AutoresetMode.NEXT_STEP, copy=False)
    first, _ = ours.reset(seed=1)
    theirs.reset(seed=1)
    actions = ours.action_space.sample()
    second = ours.step(actions)[0]
    assert np.shares_memory(first["wind"], second["wind"])
    assert_equal(second, theirs.step(actions)[0], "obs")
