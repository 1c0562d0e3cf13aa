"""How a container's end, and an engine's refusal, are put into words."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.providers.docker.report import access_advice, refusal_advice, state_of

RUNNING = {"Status": "running", "Running": True}


def check(output: str, code: int = 1) -> dict[str, Any]:
    return {
        "Status": "unhealthy",
        "Log": [{"ExitCode": 0, "Output": "old"}, {"ExitCode": code, "Output": output}],
    }


@pytest.mark.parametrize(
    ("state", "status", "detail"),
    [
        (RUNNING, "running", ""),
        ({**RUNNING, "Health": {"Status": "starting"}}, "running", ""),
        (
            {**RUNNING, "Health": check("it hurts\n")},
            "unhealthy",
            "is unhealthy: its health check says: it",
        ),
        ({**RUNNING, "Health": check("", 7)}, "unhealthy", "says: nothing, with exit code 7"),
        ({**RUNNING, "Paused": True, "Status": "paused"}, "paused", "is paused"),
        ({"Status": "exited", "ExitCode": 3}, "ended", "exited with code 3"),
        ({"Status": "exited", "ExitCode": 0}, "ended", "exited with code 0"),
        ({"Status": "exited", "ExitCode": 139}, "ended", "was killed by signal 11"),
        ({"Status": "exited", "ExitCode": 255}, "ended", "exited with code 255"),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, "ended", "for want of memory"),
        ({"Status": "created"}, "ended", "was not started"),
    ],
)
def test_states(state: dict[str, Any], status: str, detail: str):
    told = state_of({"State": state, "HostConfig": {"Memory": 0}})
    assert told.status == status
    assert detail in told.detail


def test_the_limit_that_was_reached_is_named():
    state = {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
    assert (
        "(memory= allows it 64 MiB)" in state_of({"State": state, "HostConfig": {"Memory": 64 << 20}}).detail
    )


@pytest.mark.parametrize(
    ("explanation", "advice"),
    [
        ("Unknown runtime specified runsc", "daemon.json"),
        ('could not select device driver "" with capabilities: [[gpu]]', "container toolkit"),
        ("network x not found", "docker network create"),
        ("No command specified", "command="),
        ("standard_init_linux.go: exec user process caused: exec format error", "another processor"),
        ('exec: "/x": stat /x: no such file or directory', "is it the image of a server?"),
        ("invalid mount config", "volumes="),
        ("something else", ""),
    ],
)
def test_advice_on_refusals(explanation: str, advice: str):
    assert (advice in refusal_advice(explanation)) if advice else refusal_advice(explanation) == ""


def test_advice_on_what_a_log_complains_of():
    assert "writable=" in access_advice("OSError: [Errno 30] Read-only file system: '/data'")
    assert access_advice("ModuleNotFoundError: No module named 'x'") == ""
