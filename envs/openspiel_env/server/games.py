"""Makers of single games' apps, each under its game's name: ``openspiel_env.server.games:tic_tac_toe``.

Environment variables apply as in `openspiel_env.server.app`, but for ``OPENSPIEL_GAME``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fastapi import FastAPI

from openspiel_env.server.game_loading import registered_names
from openspiel_env.server.settings import Settings
from openspiel_env.server.single_game import create_game_app


def __getattr__(name: str) -> Callable[[], FastAPI]:
    if name not in registered_names():
        raise AttributeError(f"OpenSpiel has no game {name!r}")

    def make_app() -> FastAPI:
        return create_game_app(replace(Settings.from_environ(), game=name))

    return make_app
