"""What travels between an agent and the Echo environment."""

from __future__ import annotations

from pydantic import Field

from openenv_gym.models import Action, Observation


class EchoAction(Action):
    """Something to say."""

    message: str = Field(description="Message to echo back")


class EchoObservation(Observation):
    """What came back."""

    echoed_message: str = Field(description="The message, as it came back")
    message_length: int = Field(default=0, ge=0, description="Length of the message, in characters")
