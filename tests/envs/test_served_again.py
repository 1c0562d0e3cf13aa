"""Apps are served more than once in a process, as tests do that import one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from openenv_gym import GenericEnvClient
from openenv_gym.client.dialects import Dialect
from tests.servers import LiveServer

ACTIONS: dict[str, dict[str, Any]] = {
    "echo_env": {"message": "again"},
    "git_env": {"action_type": "list_repos"},
    "git_tasks_env": {"action_type": "execute_git_command", "command": "log --oneline"},
    "coding_env": {"code": "print(1 + 1)"},
    "repl_env": {"code": "1 + 1"},
}


@pytest.mark.parametrize("package", ACTIONS)
def test_each_time_is_like_the_first(
    package: str, live_server: Callable[..., LiveServer], dialect: Dialect
) -> None:
    app = importlib.import_module(f"{package}.server.app").app
    told: list[dict[str, Any]] = []
    for _ in range(3):
        server = live_server(app)
        with GenericEnvClient(base_url=server.base_url, dialect=dialect).sync() as client:
            client.reset(seed=1)
            observation = client.step(ACTIONS[package]).observation
        observation.get("result", {}).pop("execution_time", None)
        told.append(observation)
        server.stop()
        assert app.state.sessions.active == 0
    assert told == [told[0]] * 3
