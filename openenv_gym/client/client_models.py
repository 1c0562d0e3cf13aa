"""A client's models, and the hooks between them and what travels."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from openenv_gym.client.conversion import action_payload, build_model
from openenv_gym.models import StepResult
from openenv_gym.wire.messages import Outcome, StateReply

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")
StateT = TypeVar("StateT")

_TYPE_ATTRIBUTES = ("action_type", "observation_type", "state_type")


class ClientModels(Generic[ActT, ObsT, StateT]):
    """What `EnvClient` is by its models; a class's type arguments name them.

    The ``_...`` methods are the hooks that clients written for OpenEnv override.

    Attributes:
        action_type: The action model; from the class's type arguments unless set.
        observation_type: The observation model, likewise.
        state_type: The state model, likewise.
    """

    action_type: ClassVar[type[Any] | None] = None
    observation_type: ClassVar[type[Any] | None] = None
    state_type: ClassVar[type[Any] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, ClientModels):
                for name, argument in zip(_TYPE_ATTRIBUTES, get_args(base), strict=False):
                    if name not in cls.__dict__ and isinstance(argument, type) and argument is not Any:
                        setattr(cls, name, argument)

    def _step_payload(self, action: ActT) -> dict[str, Any]:
        """Turn an action into the fields that travel."""
        return action_payload(action, self.action_type)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ObsT]:
        """Turn a reply (``observation``, ``reward``, ``done``, ``truncated``, ``metadata``) into a result."""
        observation = build_model(
            self.observation_type,
            payload["observation"],
            {
                "done": payload["done"],
                "reward": payload["reward"],
                "truncated": payload["truncated"],
                "metadata": payload["metadata"] or {},
            },
        )
        return StepResult(
            observation, payload["reward"], payload["done"], payload["metadata"], payload["truncated"]
        )

    def _parse_state(self, payload: dict[str, Any]) -> StateT:
        """Turn a state's fields into the state model."""
        state: StateT = build_model(self.state_type, payload, {})
        return state


def reply_payload(reply: Outcome | StateReply) -> dict[str, Any]:
    """Lay out a reply as the ``_parse_...`` methods take it."""
    match reply:
        case Outcome():
            return {
                "observation": reply.observation,
                "reward": reply.reward,
                "done": reply.done,
                "truncated": reply.truncated,
                "metadata": reply.metadata,
            }
        case StateReply(data):
            return data
