"""Gymnasium environments with all that can go over a wire: every space, every info, every kind of end."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SPACES: dict[str, spaces.Space[Any]] = {
    "Box-float16": spaces.Box(-1, 1, (2, 3), np.float16),
    "Box-unbounded": spaces.Box(-np.inf, np.inf, (), np.float64),
    "Box-image": spaces.Box(0, 255, (8, 6, 3), np.uint8),
    "Discrete-start": spaces.Discrete(5, start=-2),
    "MultiDiscrete": spaces.MultiDiscrete(np.array([[3, 2], [4, 5]]), start=np.array([[1, 0], [0, -3]])),
    "MultiBinary": spaces.MultiBinary((2, 3)),
    "Text": spaces.Text(12, charset="añ😀 \n"),
    "Tuple": spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 1, (2,), np.float32)]),
    "Sequence": spaces.Sequence(spaces.Box(0, 9, (2,), np.int16)),
    "OneOf": spaces.OneOf([spaces.Discrete(2), spaces.Box(-1, 0, (1,), np.float32)]),
    # Not in the alphabet's order, which gymnasium would give them.
    "Dict": spaces.Dict(OrderedDict(view=spaces.Box(0, 1, (3,), np.float32), aim=spaces.Discrete(2))),
    # Names that a model's fields cannot have.
    "Dict-names": spaces.Dict({"done": spaces.Discrete(2), "two words": spaces.MultiBinary(2)}),
    "Dict-nested": spaces.Dict({"inner": spaces.Dict({"x": spaces.Text(3)}), "y": spaces.Discrete(3)}),
}


class Sampler(gymnasium.Env[Any, Any]):
    """Shows samples of a space, takes actions of the same space, and ends in every way."""

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 7}  # noqa: RUF012

    def __init__(self, kind: str = "Dict", render_mode: str | None = None) -> None:
        self.observation_space = copy.deepcopy(SPACES[kind])  # with generators of its own
        self.action_space = copy.deepcopy(SPACES[kind])
        self.render_mode = render_mode
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self._steps = 0
        return self.observation_space.sample(), {"options": str(options or {}), "start": np.float32(0.1)}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self._steps += 1
        info: dict[str, Any] = {"draw": self.np_random.integers(9, size=2), "deep": {"half": np.float16(0.5)}}
        if self._steps % 2:
            info |= {"text": "ø", "flag": True, "count": self._steps, "mask": np.int8([1, 0])}
        terminated, truncated = self._steps in (4, 5), self._steps >= 5 - int(self.np_random.integers(2))
        return self.observation_space.sample(), np.float32(0.1) * self._steps, terminated, truncated, info

    def render(self) -> Any:
        if self.render_mode == "ansi":
            return f"step {self._steps}"
        return np.full((4, 5, 3), self._steps, np.uint8)


class Escapist(gymnasium.Env[Any, Any]):
    """Leaves its bounds, shows NaN, and tells of an object."""

    observation_space = spaces.Box(0, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.array([7, np.nan], np.float32), {"object": object(), "kept": 1}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if action == 1:
            raise RuntimeError("a wall")
        return np.array([-1, np.inf], np.float32), 0.0, False, False, {}


def register() -> None:
    """Register both; to be called once."""
    gymnasium.register("zoo/Sampler-v0", "tests.engines.zoo:Sampler", disable_env_checker=True)
    gymnasium.register("zoo/Escapist-v0", "tests.engines.zoo:Escapist", disable_env_checker=True)


register()
