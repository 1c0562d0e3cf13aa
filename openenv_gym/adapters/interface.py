"""What a server's ``/schema`` says about its environment, as spaces and conversions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Space
from pydantic import BaseModel

from openenv_gym.errors import InvalidActionError, OpenEnvGymError, ProtocolError
from openenv_gym.spaces import SpaceCodec, action_codec, observation_codec
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import Op, Outcome, Request


class Transition(NamedTuple):  # several times cheaper to make than a frozen dataclass
    """One reset's or step's result for one session, in Gymnasium's terms."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class Interface:
    """An environment's two spaces, and the way from their values to requests and from replies back.

    Args:
        schema: The body of ``/schema``.
        lenient: Accept observations with missing and unknown fields.

    Attributes:
        action_space: What ``step`` takes.
        observation_space: What ``reset`` and ``step`` return.
    """

    def __init__(self, schema: Mapping[str, Any], *, lenient: bool = False) -> None:
        try:
            self._action: SpaceCodec = action_codec(schema["action"])
            self._observation: SpaceCodec = observation_codec(
                schema["observation"], schema.get("reset_observation"), lenient=lenient
            )
        except KeyError as error:
            raise ProtocolError(f"the server's /schema has no {error} entry") from None
        self.action_space: Space[Any] = self._action.space
        self.observation_space: Space[Any] = self._observation.space

    def step_request(self, action: Any) -> Request:
        """Turn an action into a request.

        Args:
            action: A value of the action space, or an ``Action`` model.

        Raises:
            InvalidActionError: It is neither.
        """
        if isinstance(action, BaseModel):
            return Request(Op.STEP, action.model_dump(exclude_unset=True))
        try:
            payload = self._action.encode(action)
        except InvalidActionError:
            raise
        except ValueError as error:
            raise InvalidActionError(str(error), "VALIDATION_ERROR") from error
        if not isinstance(payload, dict):
            raise InvalidActionError(f"an action encodes to an object, not {type(payload).__name__}")
        return Request(Op.STEP, payload)

    def transition(self, outcome: Outcome) -> Transition:
        """Turn a reply into observation, reward, flags and info (see `make_info`).

        Raises:
            ProtocolError: The observation does not fit the server's own schema.
        """
        try:
            observation = self._observation.decode(outcome.observation)
        except ValueError as error:
            raise ProtocolError(
                f"the server's observation does not fit its own /schema: {error} "
                "(lenient=True accepts missing and unknown fields)"
            ) from error
        reward_given = outcome.reward is not None
        return Transition(
            observation=observation,
            reward=float(outcome.reward) if outcome.reward is not None else 0.0,
            terminated=outcome.done and not outcome.truncated,
            truncated=outcome.truncated,
            info=make_info(outcome.metadata, reward_given=reward_given),
        )


def make_info(metadata: Mapping[str, Any] | None, *, reward_given: bool, fault: str = "") -> dict[str, Any]:
    """Build the ``info`` of one transition.

    The keys and their types never vary, because gymnasium batches infos by the first lane's type:
    ``metadata`` (JSON text), ``reward_given`` (whether the environment sent a reward; a missing one is
    0.0), ``fault`` (empty, or what cut the episode: mask such a transition in training).
    """
    text = json_codec.encode(metadata) if metadata else "{}"
    return {"metadata": text, "reward_given": reward_given, "fault": fault}


def reset_request(rng: np.random.Generator, seed: int | None, options: Mapping[str, Any] | None) -> Request:
    """Build a reset's request.

    A seed is always sent: without one it is drawn from the session's own generator, so that everything
    after one seeded reset repeats (gymnasium's ``check_env`` asks for that).
    """
    if seed is None:
        seed = int(rng.integers(2**31))
    return Request(Op.RESET, {**(options or {}), "seed": seed})


def faulted(last_observation: Any, error: OpenEnvGymError) -> Transition:
    """Build the transition that ends an episode whose session failed.

    The reward is 0.0 and marked as not given; nothing is passed off as the environment's own.
    """
    fault = f"{type(error).__name__}: {error}"
    return Transition(last_observation, 0.0, False, True, make_info(None, reward_given=False, fault=fault))
