"""What a server's ``/schema`` says about its environment, as spaces and conversions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Space
from pydantic import BaseModel

from openenv_gym.adapters.infos import make_info
from openenv_gym.errors import InvalidActionError, ProtocolError, SchemaError, UsageError
from openenv_gym.spaces import SpaceCodec, action_codec, observation_codec, tool_call_codec
from openenv_gym.tools import CallToolAction, ListToolsAction
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
        schema: The body of ``/schema``, for a tool environment with its ``tools``.
        lenient: Accept observations with missing and unknown fields.
        reset_options: For every reset; what the reset itself is given comes before them.

    Attributes:
        schema: As given.
        action_space: What ``step`` takes.
        observation_space: What ``reset`` and ``step`` return.
        metadata: Gymnasium's, with the ``render_modes`` that the server offers.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        lenient: bool = False,
        reset_options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            observation, tools = schema["observation"], schema.get("tools")
            if tools:  # a reset's observation is none of a tool's, whatever a tool environment's schema says
                observation = {**observation, "required": []}
                self._action: SpaceCodec = tool_call_codec(tools)
            else:
                self._action = action_codec(schema["action"])
            self._observation: SpaceCodec = observation_codec(
                observation, schema.get("reset_observation"), lenient=lenient
            )
        except KeyError as error:
            raise ProtocolError(f"the server's /schema has no {error} entry") from None
        keywords = schema["observation"] if isinstance(schema["observation"], Mapping) else {}
        self._reset_options = dict(reset_options or {})
        self.schema = schema
        self._draws_seeds = keywords.get("gymnasium_seeding") != "continued"
        self.metadata: dict[str, Any] = {"render_modes": [], **keywords.get("gymnasium_metadata", {})}
        self.action_space: Space[Any] = self._action.space
        self.observation_space: Space[Any] = self._observation.space

    def reset_request(
        self, rng: np.random.Generator, seed: int | None, options: Mapping[str, Any] | None
    ) -> Request:
        """Build a reset's request.

        A seed is always sent: without one it is drawn from the session's own generator, so that everything
        after one seeded reset repeats (gymnasium's ``check_env`` asks for that). Only an environment whose
        schema says ``"gymnasium_seeding": "continued"`` sees to that itself.
        """
        if seed is None and self._draws_seeds:
            seed = int(rng.integers(2**31))
        payload = {**self._reset_options, **(options or {})}
        return Request(Op.RESET, payload if seed is None else {**payload, "seed": seed})

    def step_request(self, action: Any) -> Request:
        """Turn an action into a request.

        Args:
            action: A value of the action space, or an ``Action`` model.

        Raises:
            InvalidActionError: It is neither.
        """
        if isinstance(action, ListToolsAction | CallToolAction):
            return Request(Op.STEP, action.model_dump(exclude={"metadata"}))
        if isinstance(action, BaseModel):
            return Request(Op.STEP, action.model_dump(exclude_unset=True))
        payload = self._action.encode(action)
        if not isinstance(payload, dict):
            raise _no_object(payload)
        return Request(Op.STEP, payload)

    def step_requests(self, actions: Sequence[Any]) -> list[Request]:
        """Turn actions into requests, as `step_request` does, all at once.

        Raises:
            InvalidActionError: One of them is no action.
        """
        if not actions or any(issubclass(kind, BaseModel) for kind in set(map(type, actions))):
            return [self.step_request(action) for action in actions]
        payloads = self._action.encode_column(actions)
        if set(map(type, payloads)) != {dict}:
            raise _no_object(next(payload for payload in payloads if type(payload) is not dict))
        return [Request(Op.STEP, payload) for payload in payloads]

    def render_request(self, mode: str) -> Request:
        """Ask for a picture."""
        return Request(Op.RENDER, {"mode": mode})

    def frame(self, mode: str, value: Any) -> Any:
        """Turn a picture off the wire into the caller's own.

        Raises:
            ProtocolError: It is none of this mode.
        """
        if not isinstance(value, list | np.ndarray):
            return value
        try:
            return np.array(value, np.uint8 if mode == "rgb_array" else None)
        except (ValueError, OverflowError) as error:
            raise ProtocolError(f"the server's {mode} is no array: {error}") from None

    def require_render_mode(self, mode: str | None) -> None:
        """Raise a UsageError unless the server can draw this; ``None`` draws nothing."""
        modes = self.metadata["render_modes"]
        if mode is not None and mode not in modes:
            offers = f"renders {', '.join(modes)}" if modes else "renders nothing"
            raise UsageError(f"render_mode={mode!r}: this server's environment {offers}")

    def observation(self, value: Any) -> Any:
        """Turn an observation off the wire into an element of the observation space.

        Raises:
            ProtocolError: It does not fit the server's own schema.
        """
        try:
            return self._observation.decode(value)
        except SchemaError as error:
            raise _misfit(error) from error

    def observations(self, values: Sequence[Any], out: Any = None) -> Any:
        """Turn observations off the wire, at least one, into a batch of elements.

        Args:
            values: One a lane.
            out: An earlier batch of so many elements, whose arrays are overwritten; ``None`` makes new ones.

        Raises:
            ProtocolError: One of them does not fit the server's own schema.
        """
        try:
            return self._observation.decode_column(values, out)
        except SchemaError as error:
            raise _misfit(error) from error

    def transition(self, outcome: Outcome) -> Transition:
        """Turn a reply into observation, reward, flags and info.

        Raises:
            ProtocolError: The observation does not fit the server's own schema.
        """
        return Transition(
            observation=self.observation(outcome.observation),
            reward=0.0 if outcome.reward is None else float(outcome.reward),
            terminated=outcome.terminated,
            truncated=outcome.truncated,
            info=make_info(outcome),
        )


def _no_object(payload: Any) -> InvalidActionError:
    return InvalidActionError(f"an action encodes to an object, not {type(payload).__name__}")


def _misfit(error: SchemaError) -> ProtocolError:
    return ProtocolError(
        f"the server's observation does not fit its own /schema: {error} "
        "(lenient=True accepts missing and unknown fields)"
    )
