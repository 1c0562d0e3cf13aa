"""The engine ``gymnasium:ID``: every environment that ``gymnasium.make`` knows."""

from __future__ import annotations

import importlib
import logging
from functools import partial
from importlib.metadata import entry_points
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.info_metadata import info_metadata
from openenv_gym.engines.space_model import SpaceModel, action_model, observation_model
from openenv_gym.errors import MissingExtraError, UsageError
from openenv_gym.models import Action, EnvironmentMetadata, Observation, State
from openenv_gym.server.environment import Environment
from openenv_gym.server.plain import plain_dict

logger = logging.getLogger(__name__)

# What its clients should know: unseeded resets go on with the environment's own generator, and bounds are
# what its author thought they were (LunarLander leaves them now and then).
_KEYWORDS = {"gymnasium_seeding": "continued", "gymnasium_bounds": "nominal"}
# Where environments come from that register themselves when they are imported, and what installs them.
_PACKAGES = {"ALE": "ale_py"}
_EXTRAS = {"ale_py": "ale"}
_RENDER_MODES = ("rgb_array", "ansi")  # the best first
# Their steps take microseconds, and a hop to a thread several times that.
_QUICK = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")


class GymnasiumEnvironment(Environment[Action, Observation, State]):
    """A Gymnasium environment, wrapped as ``gymnasium.make`` wraps it, time limit included.

    Args:
        spec: What to make.
        options: Keyword arguments for ``gymnasium.make``.
        actions: The model of its actions.
        observations: The model of its observations.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"

    def __init__(
        self,
        spec: EnvSpec,
        options: dict[str, Any],
        actions: SpaceModel[Action],
        observations: SpaceModel[Observation],
    ) -> None:
        super().__init__()
        self._spec = spec
        self._actions = actions
        self._observations = observations
        self._episode_id: str | None = None
        self._steps = 0
        self._env = _make(spec, options)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Observation:
        """Start an episode; every further option goes into Gymnasium's ``options=``."""
        element, info = self._env.reset(seed=seed, options=options or None)
        self._episode_id, self._steps = episode_id, 0
        return self._observe(element, info)

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        """Take one step."""
        element, reward, terminated, truncated, info = self._env.step(self._actions.element(action))
        self._steps += 1
        return self._observe(element, info, float(reward), bool(terminated), bool(truncated))

    @property
    def state(self) -> State:
        """The episode's id and length."""
        return State(episode_id=self._episode_id, step_count=self._steps)

    def render(self, mode: str) -> Any:
        """Draw the episode in the one mode that the environment was made for."""
        return self._env.render()

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment by its own id and docstring."""
        description = type(self._env.unwrapped).__doc__ or f"Gymnasium's {self._spec.id}"
        return EnvironmentMetadata(name=self._spec.id, description=description.strip())

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _observe(
        self,
        element: Any,
        info: dict[str, Any],
        reward: float | None = None,
        terminated: bool = False,
        truncated: bool = False,
    ) -> Observation:
        metadata = info_metadata(info)
        if terminated and truncated:
            metadata["terminated"] = True
        return self._observations.model.model_construct(
            **self._observations.fields(element),
            reward=reward,
            done=terminated or truncated,
            truncated=truncated,
            metadata=metadata,
        )


def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
    """Make one instance to learn its spaces, and say how to make more.

    Raises:
        UsageError: Gymnasium knows no such environment, or cannot make it.
        SchemaError: Its observations or actions cannot travel.
    """
    spec = _find_spec(environment_id)
    try:
        options = {**_render_options(spec), **options}
        sample = _make(spec, options)
    except Exception as error:
        raise UsageError(f"gymnasium:{environment_id} cannot be made: {error}") from error
    actions = action_model("GymnasiumAction", sample.action_space)
    observations = observation_model("GymnasiumObservation", sample.observation_space, _KEYWORDS)
    metadata = {
        **plain_dict(sample.metadata, "metadata"),
        "render_modes": [sample.render_mode] if sample.render_mode else [],
    }
    sample.close()
    return Blueprint(
        factory=partial(GymnasiumEnvironment, spec, options, actions, observations),
        action_cls=actions.model,
        observation_cls=observations.model,
        gymnasium_metadata=metadata,
        execution="inline" if str(spec.entry_point).startswith(_QUICK) else None,
    )


def _find_spec(environment_id: str) -> EnvSpec:
    """Look an id up, as ``module:id`` too; packages that registered nothing yet are asked to."""
    module, _, name = environment_id.rpartition(":")
    package = module or _PACKAGES.get(name.partition("/")[0])
    try:
        if package:
            importlib.import_module(package)
        if name not in gymnasium.registry:
            _ask_plugins()
        return gymnasium.spec(name)
    except ModuleNotFoundError as error:
        if error.name == package and package in _EXTRAS:
            raise MissingExtraError(f"gymnasium:{environment_id}", _EXTRAS[package]) from error
        raise UsageError(f"gymnasium:{environment_id}: {error}") from error
    except gymnasium.error.Error as error:
        raise UsageError(f"gymnasium:{environment_id}: {error}") from error


def _ask_plugins() -> None:
    """Load the registrations that packages declare by entry point: gymnasium's 1.x leave them alone."""
    for point in entry_points(group="gymnasium.envs"):
        try:
            point.load()()
        except Exception:
            logger.exception("the environments of %s could not be registered", point.value)


def _render_options(spec: EnvSpec) -> dict[str, Any]:
    """Choose what the environment is made to draw: making it so costs nothing until somebody asks."""
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    modes = getattr(creator, "metadata", {}).get("render_modes", ())
    return next(({"render_mode": mode} for mode in _RENDER_MODES if mode in modes), {})


def _make(spec: EnvSpec, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    # The checker would warn the server's operator of what its authors should mend, at a third of the speed.
    return gymnasium.make(spec, disable_env_checker=True, **options)
