"""The embedded default: who shares a server, and how long it lives; under the real `serve`."""

from __future__ import annotations

import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openenv_gym.errors import StartupError
from openenv_gym.providers import ServerSpec, embedded

HERE = Path(__file__).parent
SPEC = ServerSpec(app="plain_app:app")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The app is importable here only; that it is in the server too is part of every test."""
    monkeypatch.syspath_prepend(str(HERE))


def test_one_server_a_spec_from_the_first_lease_to_the_last(ask, alive):
    with ThreadPoolExecutor(6) as pool:
        leases = list(pool.map(embedded.acquire, [SPEC] * 6))
    assert len({lease.endpoint for lease in leases}) == 1
    facts = ask(leases[0].endpoint)
    for lease in leases[1:]:
        lease.release()
        lease.release()  # is no second lease's release
    assert ask(leases[0].endpoint)["pid"] == facts["pid"]
    leases[0].release()
    assert not alive(facts["pid"])
    assert not alive(facts["guard"])


def test_other_specs_have_other_servers_and_the_dead_are_replaced(ask, wait_until_gone):
    red, blue = (embedded.acquire(ServerSpec(app=SPEC.app, environ={"COLOR": c})) for c in ("red", "blue"))
    assert (ask(red.endpoint)["color"], ask(blue.endpoint)["color"]) == ("red", "blue")

    dead = ask(red.endpoint)
    os.kill(dead["pid"], signal.SIGKILL)
    wait_until_gone([dead["pid"], dead["guard"]])
    risen = embedded.acquire(ServerSpec(app=SPEC.app, environ={"COLOR": "red"}))
    assert ask(risen.endpoint)["pid"] != dead["pid"]
    red.release()  # of the dead one
    assert ask(risen.endpoint)["color"] == "red"
    for lease in (risen, blue):
        lease.release()


def test_failed_start_is_shared_by_those_who_wait_and_does_not_poison_the_next(ask, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = ServerSpec(app="late_app:app", name="late server")
    with ThreadPoolExecutor(2) as pool:
        for attempt in [pool.submit(embedded.acquire, spec) for _ in range(2)]:
            with pytest.raises(StartupError, match="late server exited") as caught:
                attempt.result()
            assert "late_app" in caught.value.log_tail
    shutil.copy(HERE / "plain_app.py", tmp_path / "late_app.py")
    lease = embedded.acquire(spec)
    assert ask(lease.endpoint)["pid"]
    lease.release()


def test_forked_and_spawned_children_have_servers_of_their_own(own, wait_until_gone, alive):
    owner = own("heirs.py")
    reports = dict(json.loads(line) for line in owner.stdout)
    servers = {name: report["server"] for name, report in reports.items()}
    assert set(servers) == {"before", "os.fork", "fork", "spawn", "forkserver", "after"}
    assert servers["before"] == servers["after"], "the parent's server is nobody else's to stop"
    assert len(set(servers.values())) == 5
    assert owner.wait() == 0
    assert not alive(servers["before"]), "stopped at exit, without a release"
    wait_until_gone(list(servers.values()))
