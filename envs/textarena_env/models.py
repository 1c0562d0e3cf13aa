"""What travels between an agent and the TextArena environment; names and defaults are OpenEnv's."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from openenv_gym.models import Action, Observation, State

# The games search messages with patterns whose time grows with the square of the length: this much takes them
# well under a second.
MAX_MESSAGE_LENGTH = 8192


class TextArenaAction(Action):
    """What a player says in a turn: most games look for the move in square brackets, as in ``[crane]``."""

    message: str = Field(max_length=MAX_MESSAGE_LENGTH, description="What the player says, the move included")


class TextArenaMessage(BaseModel):
    """One message as a player sees it."""

    sender_id: int = Field(description="Player who sent it; -1 for the game")
    content: str = Field(description="Its text")
    category: str = Field(description="PROMPT, GAME_BOARD, ...; MESSAGE where the game is shown as one text")


class TextArenaObservation(Observation):
    """What the player whose turn it is sees."""

    prompt: str = Field(description="The game's instructions to this player")
    messages: list[TextArenaMessage] = Field(
        default_factory=list,
        description="The game so far as one message; in the -raw games what is new to this player",
    )
    current_player_id: int = Field(default=0, description="Whose turn it is")
    legal_players: list[int] = Field(default_factory=list, description="The players of this game")
    info: dict[str, Any] = Field(
        default_factory=dict, description="Outcome and reward signals of the last action"
    )


class TextArenaState(State):
    """Episode bookkeeping."""

    env_id: str = Field(description="The game's id in TextArena's register")
    num_players: int = Field(description="Number of players")
    max_turns: int | None = Field(default=None, description="Turns after which the episode is truncated")
    turn: int = Field(default=0, description="Turns completed")
    last_reward: float = Field(default=0.0, description="Reward of the last action")
    last_info: dict[str, Any] = Field(default_factory=dict, description="`info` of the last observation")
    raw_state: dict[str, Any] = Field(default_factory=dict, description="TextArena's own state of the game")
