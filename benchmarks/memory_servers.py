"""The Echo environment under each kind of execution, as apps for `memory.py`."""

from __future__ import annotations

from memory_environments import ProcessEcho, ThreadEcho

from echo_env.models import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.server import create_app

inline = create_app(EchoEnvironment, EchoAction, EchoObservation)
thread = create_app(ThreadEcho, EchoAction, EchoObservation)
process = create_app(ProcessEcho, EchoAction, EchoObservation)
