"""The typed client of the Echo environment."""

from __future__ import annotations

from echo_env.models import EchoAction, EchoObservation
from openenv_gym.client.mcp_client import MCPClientBase
from openenv_gym.models import State


class EchoEnv(MCPClientBase[EchoAction, EchoObservation, State]):
    """One session at an Echo server."""

    server_app = "echo_env.server.app:app"
