"""The engine ``textarena:ID``: every game of TextArena, as the package ``textarena_env`` plays it."""

from __future__ import annotations

from functools import partial
from typing import Any

from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.errors import UsageError
from textarena_env.models import TextArenaAction, TextArenaObservation, TextArenaState
from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.textarena_environment import TextArenaEnvironment


def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
    """Start a game once, to learn whether it can be played, and say how to make more.

    Args:
        environment_id: The game's id.
        options: ``num_players``, ``max_turns``, and the game's own options.

    Raises:
        UsageError: There is no such game, or it cannot be played here, or not like this.
    """
    own = {name: options.pop(name) for name in ("num_players", "max_turns") if name in options}
    factory = partial(TextArenaEnvironment, environment_id, **own, env_kwargs=options)
    try:
        factory().reset(seed=0)
    except UnplayableGameError as error:
        raise UsageError(f"textarena:{environment_id}: {error}") from error
    return Blueprint(
        factory=factory,
        action_cls=TextArenaAction,
        observation_cls=TextArenaObservation,
        state_cls=TextArenaState,
    )
