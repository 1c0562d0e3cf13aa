"""A served Gymnasium environment beside the local one: the same seeds and actions, compared step by step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.engines.app import create_engine_app
from openenv_gym.engines.blueprint import parse_name
from tests.servers import LiveServer

FIXED = {"metadata", "reward_given", "fault"}
LANES = 3


class Servers:
    """A server for each of gymnasium's ids that is asked for, kept for the next who asks."""

    def __init__(self) -> None:
        self._servers: dict[str, LiveServer] = {}

    def __getitem__(self, name: str) -> str:
        """The URL of the server for an id, options included."""
        if name not in self._servers:
            self._servers[name] = LiveServer(create_engine_app(f"gymnasium:{name}")).start()
        return self._servers[name].base_url

    def stop(self) -> None:
        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(LiveServer.stop, self._servers.values()))


def make_local(name: str, **options: Any) -> gymnasium.Env[Any, Any]:
    parts = parse_name(f"gymnasium:{name}")
    return gymnasium.make(parts.environment_id, disable_env_checker=True, **parts.options, **options)


def assert_same(ours: Any, theirs: Any, where: str, *, exact: bool = True) -> None:
    """Equal values of equal form.

    Args:
        ours: Of the remote environment.
        theirs: Of the local one.
        where: For the message.
        exact: Whether dtypes count; a Python number stands for a numpy scalar of the same value.
    """
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), where
        assert set(ours) == set(theirs), f"{where}: {sorted(ours)} != {sorted(theirs)}"
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{where}.{key}", exact=exact)
    elif isinstance(theirs, list | tuple):
        assert isinstance(ours, list | tuple), where
        assert len(ours) == len(theirs), where
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_same(*pair, f"{where}[{index}]", exact=exact)
    elif isinstance(theirs, np.ndarray) and theirs.dtype == object:
        assert_same(list(ours), list(theirs), where, exact=exact)
    elif isinstance(theirs, np.ndarray):
        assert isinstance(ours, np.ndarray), f"{where}: {type(ours)}"
        assert ours.shape == theirs.shape, f"{where}: {ours.shape} != {theirs.shape}"
        assert not exact or ours.dtype == theirs.dtype, f"{where}: {ours.dtype} != {theirs.dtype}"
        np.testing.assert_array_equal(ours, theirs, where)
        assert ours.flags.writeable, where
    else:
        assert ours == theirs or (ours != ours and theirs != theirs), f"{where}: {ours!r} != {theirs!r}"


def own(info: dict[str, Any]) -> dict[str, Any]:
    """The environment's own part of a remote info, which has keys of ours beside it."""
    names = FIXED | {f"_{name}" for name in FIXED}
    return {
        key: own(value) if key == "final_info" else value for key, value in info.items() if key not in names
    }


def sampled(space: Space[Any], info: dict[str, Any]) -> Any:
    """A random action, out of the legal ones where the info has a mask of them."""
    mask = info.get("action_mask")
    return space.sample() if mask is None else space.sample(mask)


def compare_env(
    servers: Servers, name: str, dialect: Dialect, steps: int, seed: int = 3, **options: Any
) -> int:
    """Step a `RemoteEnv` and the local environment alike; returns how many episodes ended."""
    local = make_local(name)
    ended = 0
    env = RemoteEnv(servers[name], dialect=dialect)
    try:
        assert env.action_space == local.action_space
        assert env.observation_space == local.observation_space
        assert env.metadata.get("render_fps") == local.metadata.get("render_fps")
        local.action_space.seed(seed)
        a, b = env.reset(seed=seed, options=options), local.reset(seed=seed, options=options or None)
        assert_same(a[0], b[0], f"{name}: reset: observation", exact=fits(local, b[0]))
        assert_same(own(a[1]), b[1], f"{name}: reset: info")
        for step in range(steps):
            action = sampled(local.action_space, b[-1])
            a, b = env.step(action), local.step(action)
            where = f"{name}: step {step}"
            assert_same(a[0], b[0], f"{where}: observation", exact=fits(local, b[0]))
            assert a[1:4] == (float(b[1]), *b[2:4]), where
            assert_same(own(a[4]), b[4], f"{where}: info")
            if b[2] or b[3]:
                ended += 1
                a, b = env.reset(), local.reset()  # the generator goes on
                assert_same(a[0], b[0], f"{where}: unseeded reset", exact=fits(local, b[0]))
                assert_same(own(a[1]), b[1], f"{where}: info of an unseeded reset")
    finally:
        env.close()
        local.close()
    return ended


def fits(local: gymnasium.Env[Any, Any], element: Any) -> bool:
    """Whether an environment keeps to the dtype that it declares; what is served always does."""
    dtype = getattr(local.observation_space, "dtype", None)
    return dtype is None or getattr(element, "dtype", dtype) == dtype


def compare_vector_envs(
    servers: Servers,
    name: str,
    dialect: Dialect,
    steps: int,
    mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    seed: int = 5,
) -> int:
    """Step a `RemoteVectorEnv` and a `SyncVectorEnv` alike; returns how many episodes ended."""
    local = SyncVectorEnv([lambda: make_local(name)] * LANES, autoreset_mode=mode)
    ended = 0
    envs = RemoteVectorEnv(servers[name], num_envs=LANES, dialect=dialect, autoreset_mode=mode)
    try:
        assert envs.single_action_space == local.single_action_space
        assert envs.observation_space == local.observation_space
        local.action_space.seed(seed)
        a, b = envs.reset(seed=seed), local.reset(seed=seed)
        assert_same(a[0], b[0], f"{name}: reset: observations")
        assert_same(own(a[1]), b[1], f"{name}: reset: infos")
        for step in range(steps):
            actions = local.action_space.sample()
            a, b = envs.step(actions), local.step(actions)
            for what, x, y in zip(("obs", "reward", "terminated", "truncated"), a, b, strict=False):
                assert_same(x, y, f"{name}: step {step}: {what}")
            assert_same(own(a[4]), b[4], f"{name}: step {step}: infos")
            over = b[2] | b[3]
            ended += int(over.sum())
            if mode is AutoresetMode.DISABLED and over.any():
                x = envs.reset(options={"reset_mask": over.copy()})
                y = local.reset(options={"reset_mask": over.copy()})
                assert_same(x[0], y[0], f"{name}: step {step}: masked reset")
                assert_same(own(x[1]), y[1], f"{name}: step {step}: infos of a masked reset")
    finally:
        envs.close()
        local.close()
    return ended
