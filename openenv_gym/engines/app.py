"""From a name like ``gymnasium:CartPole-v1`` to the app that serves it."""

from __future__ import annotations

import importlib

from fastapi import FastAPI

from openenv_gym.engines.blueprint import Blueprint, parse_name
from openenv_gym.errors import UsageError
from openenv_gym.server.app import compose_app
from openenv_gym.server.definition import EnvironmentDefinition, Recipe, define
from openenv_gym.server.engine_table import ENGINES, engine_of
from openenv_gym.server.import_path import import_path
from openenv_gym.server.settings import ServerSettings


def create_engine_app(name: str, *, settings: ServerSettings | None = None) -> FastAPI:
    """Make the ASGI app that serves an engine's environment.

    Args:
        name: ``engine:ID``, or with keyword arguments for the library ``engine:ID?key=value&...``.
        settings: Limits and timeouts, by default read from environment variables.

    Raises:
        UsageError: There is no such engine, or it has no such environment.
        MissingExtraError: The engine's library is not installed.
    """
    settings = settings or ServerSettings.from_environ()
    return compose_app(define_engine(name, max_sessions=settings.max_sessions), settings)


def define_engine(
    name: str, *, max_sessions: int | None = None, execution: str | None = None
) -> EnvironmentDefinition:
    """Define an engine's environment for a server.

    Args:
        name: As for `create_engine_app`.
        max_sessions: Sessions at once; by default what suits its kind of execution.
        execution: Overrides where the engine has it run.

    Raises:
        UsageError: As `create_engine_app`.
        MissingExtraError: As `create_engine_app`.
    """
    parts = parse_name(name)
    engine = engine_of(name)
    if engine is None:
        known = ", ".join(engine.name for engine in ENGINES)
        raise UsageError(f"there is no engine {parts.engine!r}; there are: {known}")
    engine.require()
    blueprint: Blueprint = importlib.import_module(engine.module).blueprint(
        parts.environment_id, parts.options
    )
    return define(
        blueprint.factory,
        blueprint.action_cls,
        blueprint.observation_cls,
        name=name,
        max_sessions=max_sessions,
        execution=execution or blueprint.execution,
        state_cls=blueprint.state_cls,
        reset_observation_cls=blueprint.reset_observation_cls,
        gymnasium_metadata=blueprint.gymnasium_metadata,
        recipe=Recipe(name, import_path(define_engine), {"name": name}),
    )
