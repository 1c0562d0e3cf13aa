"""The Git environment behind its server: typed clients, Gymnasium, HTTP, and the end of it all."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gymnasium
import httpx
import pytest
from gymnasium.utils.env_checker import check_env

import openenv_gym  # noqa: F401 - registers the ids
from git_env import GitAction, GitEnv, GitObservation
from git_env.server.app import make_app
from git_env.server.settings import GitSettings
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import EnvError
from tests.servers import LiveServer


@pytest.fixture
def server(live_server: Callable[..., LiveServer], settings: GitSettings) -> LiveServer:
    return live_server(make_app(settings))


def test_the_typed_client(server: LiveServer, dialect: Dialect) -> None:
    with GitEnv(base_url=server.base_url, dialect=dialect).sync() as client:
        result = client.reset(seed=1, task_id="tip")
        assert isinstance(result.observation, GitObservation)
        assert (result.reward, result.done) == (None, False)
        listed = client.step(GitAction(action_type="list_repos"))
        assert listed.observation.repos[0]["name"] == "empty"
        status = client.step(
            GitAction(action_type="execute_git_command", command="status", working_dir="project")
        )
        assert "On branch main" in status.observation.output
        assert client.state().step_count == 2
        assert client.state().workspace_path == "/workspace"
        with pytest.raises(EnvError, match="tasks: feature, start, tip"):
            client.reset(task_id="none")


def test_tasks_over_http(server: LiveServer) -> None:
    splits = httpx.get(f"{server.base_url}/git_env/splits").json()
    assert "train" in str(splits)
    schema = httpx.get(f"{server.base_url}/schema").json()
    kinds = schema["action"]["properties"]["action_type"]["enum"]
    assert kinds == ["clone_repo", "list_repos", "execute_git_command", "read_file", "write_file"]
    assert httpx.get(f"{server.base_url}/metadata").json()["name"] == "git_env"


def test_gymnasium_s_checker(server: LiveServer, dialect: Dialect) -> None:
    env = gymnasium.make(
        "openenv/Git-v0", base_url=server.base_url, dialect=dialect, disable_env_checker=True
    )
    try:
        check_env(env.unwrapped, skip_render_check=True)
    finally:
        env.close()


def test_equal_seeds_in_lanes_of_a_vector(server: LiveServer, dialect: Dialect) -> None:
    envs = gymnasium.make_vec("openenv/Git-v0", num_envs=3, base_url=server.base_url, dialect=dialect)
    try:
        observations, _ = envs.reset(seed=[7, 7, 8])
        assert observations["message"][0] == observations["message"][1]
        observations, rewards, terminations, truncations, _ = envs.step(envs.action_space.sample())
        assert rewards.tolist() == [0.0] * 3
        assert not terminations.any()
        assert not truncations.any()
    finally:
        envs.close()


@pytest.fixture
def threads() -> Iterator[Callable[[], set[str]]]:
    before = {thread.name for thread in threading.enumerate()}
    yield lambda: {thread.name for thread in threading.enumerate()} - before


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that all users may pass: pytest's own would stop a sandbox that has a user of its own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_nothing_runs_on_after_the_server(
    live_server: Callable[..., LiveServer],
    settings: GitSettings,
    threads: Callable[[], set[str]],
    folder: Path,
) -> None:
    server = live_server(make_app(replace(settings, workspace_dir=folder)))
    with GitEnv(base_url=server.base_url).sync() as client:
        client.reset()
        assert list(folder.iterdir())
    server.stop()
    assert list(folder.iterdir()) == []
    assert not {name for name in threads() if name.startswith("git-")}
