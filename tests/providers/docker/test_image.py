"""What is read from the engine's description of an image."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.providers.docker.image import ImageFacts


def facts(architecture: str = "amd64", **config: Any) -> ImageFacts:
    return ImageFacts.read("name", {"Architecture": architecture, "Config": config})


@pytest.mark.parametrize(
    ("labels", "exposed", "port", "source"),
    [
        ({}, {}, 8000, "convention"),
        ({}, {"9000/tcp": {}}, 9000, "EXPOSE"),
        ({}, {"9000/tcp": {}, "8000/tcp": {}, "53/udp": {}}, 8000, "EXPOSE"),
        ({}, {"9000/tcp": {}, "80/tcp": {}}, 80, "EXPOSE"),
        ({}, {"53/udp": {}}, 8000, "convention"),
        ({"openenv-gym.manifest": "name: echo\nport: 7000\n"}, {"9000/tcp": {}}, 7000, "manifest"),
        ({"openenv-gym.manifest": "name: echo\nother:\n  port: 7000\n"}, {}, 8000, "convention"),
        ({"openenv-gym.port": "6000", "openenv-gym.manifest": "port: 7000"}, {}, 6000, "openenv-gym.port"),
        ({"openenv-gym.port": "70000"}, {"9000/tcp": {}}, 9000, "EXPOSE"),
        ({"openenv-gym.port": "none"}, {}, 8000, "convention"),
    ],
)
def test_port(labels: dict[str, str], exposed: dict[str, Any], port: int, source: str):
    read = facts(Labels=labels, ExposedPorts=exposed)
    assert read.port == port
    assert source in read.port_source


@pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:users"])
def test_root_is_recognised(user: str):
    assert facts(User=user).runs_as_root


@pytest.mark.parametrize("user", ["1000", "me:0", "rooty"])
def test_other_users_are_not_root(user: str):
    assert not facts(User=user).runs_as_root


def test_what_an_image_lacks_is_null():
    read = facts(Labels=None, ExposedPorts=None, Env=None, User=None)
    assert (read.port, read.writable, read.sets_home) == (8000, (), False)
    assert ImageFacts.read("name", {}).architecture == ""


def test_the_rest():
    read = facts("x86_64", Labels={"openenv-gym.writable": "/a  /b"}, Env=["PATH=/bin", "HOME=/root"])
    assert (read.architecture, read.writable, read.sets_home) == ("amd64", ("/a", "/b"), True)


SERVE = ["python", "-m", "openenv_gym.server.serve", "--port", "8000"]


@pytest.mark.parametrize(
    ("entry_point", "command", "app", "held"),
    [
        (SERVE, ["textarena_env.server.app:app"], "textarena_env.server.wordle:app", True),
        (SERVE, ["textarena_env.server.app:app"], "textarena_env.server.app:app", False),  # as it is
        (
            SERVE,
            ["my_games.server.app:app"],
            "textarena_env.server.wordle:app",
            False,
        ),  # another's environment
        (None, ["textarena_env.server.app:app"], "textarena_env.server.wordle:app", False),
        (None, None, "textarena_env.server.wordle:app", False),
    ],
)
def test_another_app_of_the_same_package(entry_point: Any, command: Any, app: str, held: bool):
    assert facts(Entrypoint=entry_point, Cmd=command).holds(app) == held
