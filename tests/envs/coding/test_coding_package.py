"""The package around the Coding environment, and its server as a whole."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import pytest
import yaml

import coding_env
import openenv_gym  # noqa: F401 - registers the ids
from coding_env import CodeAction, CodingEnv
from coding_env.server.app import make_app
from coding_env.server.coding_environment import VERSION
from coding_env.server.settings import CodingSettings
from openenv_gym.errors import EnvError
from tests.servers import LiveServer

PACKAGE = Path(coding_env.__file__).parent


def test_the_manifest_names_what_exists() -> None:
    manifest = yaml.safe_load((PACKAGE / "openenv.yaml").read_text())
    for part in ("client", "action", "observation"):
        entry = manifest[part]
        found = getattr(importlib.import_module(entry["module"]), entry["class_name"])
        assert found is getattr(coding_env, entry["class_name"])
    assert (manifest["name"], manifest["app"]) == ("coding_env", "server.app:app")
    assert (PACKAGE / "server/app.py").is_file()


def test_versions_agree() -> None:
    manifest = yaml.safe_load((PACKAGE / "openenv.yaml").read_text())
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    assert project["version"] == manifest["version"] == VERSION


@pytest.fixture
def server(live_server: Callable[..., LiveServer]) -> LiveServer:
    return live_server(make_app(CodingSettings(spares=2)))


def test_many_sessions_at_once_keep_their_own_state(server: LiveServer) -> None:
    def play(number: int) -> list[str]:
        with CodingEnv(base_url=server.base_url).sync() as client:
            client.reset(seed=number)
            client.step(CodeAction(code=f"mine = {number}"))
            return [client.step(CodeAction(code="mine += 10; mine")).observation.stdout for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        for number, seen in enumerate(pool.map(play, range(6))):
            assert seen == [f"{number + 10 * step}\n" for step in (1, 2, 3)]


def test_a_vector_environment(server: LiveServer) -> None:
    with gymnasium.make_vec("openenv/Coding-v0", num_envs=3, base_url=server.base_url) as envs:
        envs.reset(seed=1)
        for _ in range(2):
            observations, rewards, *_ = envs.step([CodeAction(code=f"print({n})") for n in range(3)])
        assert [text.strip() for text in observations["stdout"]] == ["0", "1", "2"]
        assert rewards.tolist() == [0.1] * 3


def test_a_wrong_option_is_refused_and_the_session_stays_usable(server: LiveServer) -> None:
    with CodingEnv(base_url=server.base_url).sync() as client:
        client.reset()
        with pytest.raises(EnvError, match="smolagents"):
            client.reset(executor="perl")
        client.reset()
        assert client.step(CodeAction(code="1 + 1")).observation.stdout == "2\n"
