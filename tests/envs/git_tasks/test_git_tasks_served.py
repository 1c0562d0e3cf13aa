"""The Git tasks behind their server: the task routes, and the typed client."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from git_env.server.settings import GitSettings
from git_tasks_env import GitTaskAction, GitTasksEnv
from git_tasks_env.server.app import make_app
from openenv_gym.errors import EnvError
from tests.servers import LiveServer


@pytest.fixture
def server(live_server: Callable[..., LiveServer], imports: tuple[str, ...]) -> LiveServer:
    return live_server(make_app(GitSettings(imports=imports[2:3])))


def test_the_task_routes(server: LiveServer) -> None:
    base = f"{server.base_url}/git_tasks_env"
    assert [split["name"] for split in httpx.get(f"{base}/splits").json()] == ["train", "validation", "test"]
    assert httpx.post(f"{base}/num_tasks", json={"split": "test"}).json()["num_tasks"] == 270
    listed = httpx.post(f"{base}/tasks", json={"split": "validation"}).json()["tasks"]
    assert len(listed) == 270
    fifth = httpx.post(f"{base}/task", json={"split": "validation", "index": 5}).json()["task"]
    assert fifth == listed[5]
    some = httpx.post(f"{base}/task_range", json={"split": "validation", "start": 3, "stop": 6}).json()[
        "tasks"
    ]
    assert some == listed[3:6]
    assert httpx.post(f"{base}/task", json={"split": "test", "index": 270}).status_code == 400
    assert len(httpx.post(f"{base}/tasks", json={"split": "train"}).json()["tasks"]) == 1000


def test_a_task_by_its_place(server: LiveServer) -> None:
    with GitTasksEnv(base_url=server.base_url).sync() as client:
        result = client.reset(split="test", index=30)
        assert result.observation.metadata == {
            "task_id": "test/30",
            "split": "test",
            "index": 30,
            "kind": "resolve_conflict",
            "difficulty": "easy",
            "repository": "gitea/tiny",
        }
        result = client.step(GitTaskAction(action_type="submit"))
        assert (result.reward, result.done, result.truncated) == (0.0, True, False)
        assert client.state().score == 0.0
        with pytest.raises(EnvError, match="splits: train"):
            client.reset(split="none")
