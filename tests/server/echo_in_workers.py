"""The Echo environment with a worker process a session."""

from __future__ import annotations

from fastapi import FastAPI

from echo_env import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.server.app import compose_app
from openenv_gym.server.definition import define
from openenv_gym.server.settings import ServerSettings


def make_app() -> FastAPI:
    definition = define(EchoEnvironment, EchoAction, EchoObservation, execution="process")
    return compose_app(definition, ServerSettings.from_environ())
