from __future__ import annotations

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.server import ServerSettings


def test_nothing_set_means_the_defaults():
    assert ServerSettings.from_environ({}) == ServerSettings()


def test_every_variable_is_read():
    settings = ServerSettings.from_environ(
        {
            "OPENENV_GYM_TOKEN": "secret",
            "MAX_CONCURRENT_ENVS": "7",
            "OPENENV_GYM_IDLE_TIMEOUT": "1.5",
            "OPENENV_GYM_STEP_TIMEOUT": "2",
            "OPENENV_GYM_OPEN_TIMEOUT": "3",
            "OPENENV_GYM_CLOSE_TIMEOUT": "4",
            "OPENENV_GYM_DRAIN_GRACE": "5",
            "OPENENV_GYM_MAX_FRAME_BYTES": "6",
            "OPENENV_GYM_MAX_BODY_BYTES": "8",
            "OPENENV_GYM_MAX_RUNAWAYS": "9",
            "OPENENV_GYM_ALLOWED_ORIGINS": "https://A.example/, http://b.example:81 ,",
            "OPENENV_GYM_SIBLINGS": "8001, https://play.example/two",
            "OPENENV_GYM_GROUP": "g1",
        }
    )
    assert settings == ServerSettings(
        token="secret",
        max_sessions=7,
        idle_timeout=1.5,
        step_timeout=2,
        open_timeout=3,
        close_timeout=4,
        drain_grace=5,
        max_frame_bytes=6,
        max_body_bytes=8,
        max_runaways=9,
        allowed_origins=frozenset({"https://a.example", "http://b.example:81"}),
        siblings=(8001, "https://play.example/two"),
        group="g1",
    )


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5"])
def test_a_bad_count_names_its_variable(text):
    with pytest.raises(UsageError, match=r"MAX_CONCURRENT_ENVS=.*whole number"):
        ServerSettings.from_environ({"MAX_CONCURRENT_ENVS": text})


@pytest.mark.parametrize("text", ["soon", "0", "-2", "nan"])
def test_a_bad_duration_names_its_variable(text):
    with pytest.raises(UsageError, match=r"OPENENV_GYM_STEP_TIMEOUT=.*seconds"):
        ServerSettings.from_environ({"OPENENV_GYM_STEP_TIMEOUT": text})


@pytest.mark.parametrize("text", ["0", "65536", "8001,host:8002", "-1"])
def test_a_bad_sibling_names_its_variable(text):
    with pytest.raises(UsageError, match=r"OPENENV_GYM_SIBLINGS=.*ports and URLs"):
        ServerSettings.from_environ({"OPENENV_GYM_SIBLINGS": text})


def test_a_limit_given_in_code_is_checked_too():
    with pytest.raises(UsageError, match="idle_timeout"):
        ServerSettings(idle_timeout=0)


def test_the_token_stays_out_of_the_repr():
    assert "secret" not in repr(ServerSettings(token="secret"))
