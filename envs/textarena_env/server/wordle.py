"""Wordle as an ASGI app, whatever game the server's environment variables name."""

from __future__ import annotations

from textarena_env.server.app import make_app
from textarena_env.server.settings import TextArenaSettings

app = make_app(TextArenaSettings(env_id="Wordle-v0"))
