"""What ``create_app`` accepts, and what importing the package costs."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

import openenv_gym.server
from openenv_gym import GenericEnvClient
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import ConcurrencyConfigurationError, OpenEnvGymError, UsageError
from openenv_gym.server import (
    ConcurrencyConfig,
    ServerCapacityStatus,
    ServerMode,
    ServerSettings,
    create_app,
    create_fastapi_app,
)
from openenv_gym.server.sessions import SessionTable
from tests.server.sample_environments import Heard, Parrot, Say, Solitary
from tests.servers import LiveServer


def table_of(app) -> SessionTable:
    return app.state.sessions


def paths_of(app) -> set[str]:
    return set(app.openapi()["paths"])


def test_capacity_is_the_classes_own_unless_said_otherwise():
    assert table_of(create_app(Parrot, Say, Heard)).capacity == 8
    assert table_of(create_app(Solitary, Say, Heard)).capacity == 1
    assert table_of(create_app(Parrot, Say, Heard, max_concurrent_envs=3)).capacity == 3
    assert table_of(create_fastapi_app(Parrot, Say, Heard, 4)).capacity == 4
    config = ConcurrencyConfig(max_concurrent_envs=5, session_timeout=7.0)
    table = table_of(create_app(Parrot, Say, Heard, concurrency_config=config))
    assert (table.capacity, table._settings.idle_timeout) == (5, 7.0)


def test_the_operators_word_is_last(monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT_ENVS", "2")
    assert table_of(create_app(Parrot, Say, Heard, max_concurrent_envs=3)).capacity == 2


def test_what_does_not_fit_together():
    with pytest.raises(UsageError, match="not both"):
        create_app(
            Parrot,
            Say,
            Heard,
            max_concurrent_envs=1,
            concurrency_config=ConcurrencyConfig(max_concurrent_envs=1),
        )
    with pytest.raises(ConcurrencyConfigurationError):
        create_app(Solitary, Say, Heard, max_concurrent_envs=2)
    with pytest.raises(UsageError, match="mode 'holiday'"):
        create_app(Parrot, Say, Heard, mode="holiday")


def test_production_leaves_out_what_drives_the_simulation(monkeypatch):
    driving = {"/reset", "/step", "/state"}
    assert driving <= paths_of(create_app(Parrot, Say, Heard))
    assert not driving & paths_of(create_app(Parrot, Say, Heard, mode=ServerMode.PRODUCTION))
    monkeypatch.setenv("OPENENV_MODE", "PRODUCTION")
    assert not driving & paths_of(create_app(Parrot, Say, Heard))
    assert driving <= paths_of(create_app(Parrot, Say, Heard, mode="simulation"))


def test_options_of_upstreams_page_are_tolerated_and_others_are_not(caplog):
    with caplog.at_level(logging.WARNING):
        create_app(Parrot, Say, Heard, gradio_builder=None, custom_tab_name="Mine")
    assert "custom_tab_name, gradio_builder" in caplog.text
    with pytest.raises(TypeError, match="colour"):
        create_app(Parrot, Say, Heard, colour="red")  # type: ignore[call-arg]


def test_the_name_given_is_the_name_served():
    app = create_app(Parrot, Say, Heard, env_name="bird")
    assert "bird" in app.title


def test_importing_the_authors_names_loads_no_web_framework():
    code = (
        "import sys; from openenv_gym.server import Environment, Transform, Action, ServerMode; "
        "print(sorted({'fastapi', 'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert printed.stdout.strip() == "[]"


def test_every_public_name_leads_somewhere():
    for name in openenv_gym.server.__all__:
        assert getattr(openenv_gym.server, name).__name__ == name
    assert set(openenv_gym.server.__all__) == set(dir(openenv_gym.server))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = openenv_gym.server.Nothing


def test_capacity_status_counts():
    status = ServerCapacityStatus.from_counts(2, 3)
    assert (status.available_slots, status.is_at_capacity) == (1, False)
    assert ServerCapacityStatus.from_counts(3, 3).is_at_capacity
    with pytest.raises(ValueError, match="exceed"):
        ServerCapacityStatus.from_counts(4, 3)


def test_settings_given_in_code_beat_the_environment(monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT_ENVS", "2")
    assert table_of(create_app(Parrot, Say, Heard, settings=ServerSettings())).capacity == 8


@pytest.mark.parametrize("execution", ["inline", "thread", "process"])
def test_an_app_may_be_served_again(
    execution: str,
    live_server: Callable[..., LiveServer],
    dialect: Dialect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Parrot, "EXECUTION", execution)
    app = create_app(Parrot, Say, Heard)
    for _ in range(3):
        server = live_server(app)
        client = GenericEnvClient(base_url=server.base_url, dialect=dialect, outage_timeout_s=0.1).sync()
        assert client.reset().observation["echo"] == "hello"
        server.stop()  # the session is open still
        with pytest.raises(OpenEnvGymError):
            client.step({"message": "anybody there?"})
        client.close()
        assert table_of(app).active == 0
