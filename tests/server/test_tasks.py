"""The task routes, with OpenEnv's paths, bodies and status codes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, Librarian, Parrot, Say
from tests.server.talk import http_of
from tests.servers import LiveServer


@pytest.fixture(scope="module")
def library() -> Iterator[httpx.Client]:
    server = LiveServer(create_app(Librarian, Say, Heard, env_name="library")).start()
    with http_of(server) as client:
        yield client
    server.stop()


def test_listing(library):
    assert library.get("/list_environments").json() == ["library"]
    assert library.get("/library/splits").json() == [
        {"name": "train", "type": "train"},
        {"name": "hard", "type": "validation"},
        {"name": "test", "type": "test", "note": "kept"},
    ]


def test_tasks(library):
    tasks = [{"id": "train-0"}, {"id": "train-1"}, {"id": "train-2"}]
    assert library.post("/library/tasks", json={"split": "train"}).json() == {
        "tasks": tasks,
        "env_name": "library",
    }
    assert library.post("/library/num_tasks", json={"split": "train"}).json() == {"num_tasks": 3}
    assert library.post("/library/task", json={"split": "train", "index": 1}).json() == {"task": tasks[1]}
    ranged = library.post("/library/task_range", json={"split": "train", "start": 1})
    assert ranged.json() == {"tasks": tasks[1:]}


def test_a_name_in_another_case_is_the_same(library):
    assert library.post("/LIBRARY/num_tasks", json={"split": "train"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/elsewhere/num_tasks", {"split": "train"}, 404),
        ("/library/task", {"split": "train", "index": 99}, 400),
        ("/library/task", {"split": "train", "index": "first"}, 422),
        ("/library/task", {"split": "train"}, 422),
        ("/library/tasks", {"split": "train", "page": 2}, 422),
        ("/library/tasks", {}, 422),
        ("/library/num_tasks", {"split": "broken"}, 500),
    ],
)
def test_what_cannot_be_answered(library, path, body, status):
    assert library.post(path, json=body).status_code == status


def test_an_environment_without_tasks(live_server):
    server = live_server(create_app(Parrot, Say, Heard))
    with http_of(server) as client:
        assert client.get("/Parrot/splits").status_code == 501
        assert client.post("/parrot/num_tasks", json={"split": "train"}).status_code == 501
