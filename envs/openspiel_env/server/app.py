"""The OpenSpiel environment as an ASGI app, and the command ``server``.

With ``OPENSPIEL_GAME`` it serves that game alone, with spaces that fit it (`single_game`). Without, it serves
any game that a ``reset`` asks for, Catch unless it says. ``OPENSPIEL_AGENT_PLAYER``,
``OPENSPIEL_OPPONENT_POLICY`` and ``OPENSPIEL_ILLEGAL_ACTION`` say what holds where a ``reset`` does not.
"""

from __future__ import annotations

import sys
from functools import partial

from fastapi import FastAPI

from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve
from openspiel_env.models import OpenSpielAction, OpenSpielObservation, OpenSpielState
from openspiel_env.server.openspiel_environment import OpenSpielEnvironment
from openspiel_env.server.settings import Settings
from openspiel_env.server.single_game import create_game_app


def _make_app(settings: Settings) -> FastAPI:
    if settings.game is not None:
        return create_game_app(settings)
    new_environment = partial(
        OpenSpielEnvironment,
        agent_player=settings.agent_player,
        opponent_policy=settings.opponent_policy,
        illegal_action=settings.illegal_action,
    )
    return create_app(
        new_environment,
        OpenSpielAction,
        OpenSpielObservation,
        env_name="openspiel_env",
        state_cls=OpenSpielState,
    )


app = _make_app(Settings.from_environ())


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["openspiel_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
