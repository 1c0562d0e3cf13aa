"""Owners are told apart, also when their numbers are used again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from openenv_gym.providers.docker.labels import NAME, OWNER, PROVIDER, SESSION, Owner, labels


def test_this_process_lives_and_survives_the_label():
    owner = Owner.this_process()
    assert owner.pid == os.getpid()
    assert Owner.parse(str(owner)) == owner
    assert owner.alive is True


def test_an_ended_process_is_dead():
    program = "from openenv_gym.providers.docker.labels import Owner; print(Owner.this_process())"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    owner = Owner.parse(told.stdout.strip())
    assert owner is not None
    assert owner.alive is False


def test_a_zombie_is_dead():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert replace(Owner.this_process(), pid=process.pid).alive is False
    process.wait()


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({"start": 1}, False),  # the number was used again
        ({"boot": "earlier"}, False),
        ({"host": "another"}, None),
        ({"pid_namespace": "1"}, None),
        ({"host": "another", "boot": "another"}, None),
    ],
)
def test_who_cannot_be_seen_from_here_is_neither(change: dict[str, object], alive: bool | None):
    assert replace(Owner.this_process(), **change).alive is alive


@pytest.mark.parametrize("text", ["", "1", "a/2/3/4/5", "1/2/3/4/5/6", "1/-2/3/4/5"])
def test_what_is_no_owner(text: str):
    assert Owner.parse(text) is None


def test_labels_name_owner_server_and_provider():
    mine = labels("server", "DockerProvider")
    assert (mine[NAME], mine[PROVIDER]) == ("server", "DockerProvider")
    assert Owner.parse(mine[OWNER]) == Owner.this_process()
    assert mine[SESSION] == labels("other", "other")[SESSION]
