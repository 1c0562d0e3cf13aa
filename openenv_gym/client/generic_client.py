"""The client that speaks dicts: any server, nothing of its environment installed here."""

from __future__ import annotations

from typing import Any

from openenv_gym.client.env_client import EnvClient


class GenericEnvClient(EnvClient[dict[str, Any], dict[str, Any], dict[str, Any]]):
    """Actions, observations and states as dicts; an action may also be any pydantic model.

    ::

        with GenericEnvClient(base_url="http://localhost:8000").sync() as client:
            result = client.reset()
            result = client.step({"message": "hello"})
    """

    action_type = None
    observation_type = None
    state_type = None


class GenericAction(dict[str, Any]):
    """An action's fields by keyword: ``GenericAction(message="hello")`` is ``{"message": "hello"}``."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields)

    def __repr__(self) -> str:
        return f"GenericAction({', '.join(f'{name}={value!r}' for name, value in self.items())})"
