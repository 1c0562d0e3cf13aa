"""No process of a server's tree outlives its owner, however the owner ends."""

from __future__ import annotations

import json
import os
import signal

import pytest


def told(owner) -> dict:
    return json.loads(owner.stdout.readline())


@pytest.mark.parametrize("modes", [(), ("tree", "deaf")], ids=["plain", "stubborn"])
def test_sigkill(own, wait_until_gone, modes):
    owner = own("owner.py", "killed", *modes)
    pids = told(owner)["pids"]
    assert len(pids) == (4 if modes else 2)
    owner.kill()
    wait_until_gone(pids)


def test_sigkill_while_a_forked_child_lives_on(own, wait_until_gone, alive):
    owner = own("owner.py", "fork")
    pids, heir = told(owner)["pids"], told(owner)["heir"]
    owner.kill()
    wait_until_gone(pids)
    assert alive(heir)
    os.kill(heir, signal.SIGKILL)


def test_exit_without_stop_returns_after_the_server_is_gone(own, alive):
    owner = own("owner.py", "returns", "tree")
    pids = told(owner)["pids"]
    assert owner.wait() == 0
    assert not any(alive(pid) for pid in pids)


def test_interrupt_during_the_start(own):
    owner = own("owner.py", "interrupt", "mute")
    assert told(owner)["running"]
    os.killpg(owner.pid, signal.SIGINT)
    assert told(owner)["left"] == []
    assert owner.wait() == 0
