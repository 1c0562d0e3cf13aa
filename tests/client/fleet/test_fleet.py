"""Real server processes in a fleet: started, killed, frozen, replaced and stopped."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.client.fleet import Fleet, ServerStatus
from openenv_gym.client.fleet.health import HealthRules
from openenv_gym.client.fleet.status_file import read_fleets
from openenv_gym.errors import ClosedError, OpenEnvGymError, StartupError, UsageError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider
from tests.client.patience import wait_until

TINY = Path(__file__).parents[2] / "providers" / "tiny_server.py"
SPEC = ServerSpec(name="tiny")
QUICK = HealthRules(look_interval=0.1, interval=0.2, timeout=2.0, misses=2)


def tiny(*modes: str, **options: Any) -> ProcessProvider:
    return ProcessProvider(command=[sys.executable, "-S", str(TINY), "{fd}", *modes], **options)


class Made:
    """A factory of providers that remembers them."""

    def __init__(self, make: Callable[[int], ProcessProvider] = lambda _: tiny()) -> None:
        self.providers: list[ProcessProvider] = []
        self._make = make

    def __call__(self) -> ProcessProvider:
        self.providers.append(self._make(len(self.providers)))
        return self.providers[-1]

    @property
    def running(self) -> int:
        return sum(provider.running for provider in self.providers)

    def server(self, number: int) -> int:
        """The process id of a server."""
        guard = self.providers[number].pid
        return int(Path(f"/proc/{guard}/task/{guard}/children").read_text().split()[0])


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    assert made.running == 0


def states(fleet: Fleet) -> list[str]:
    return [str(one.state) for one in fleet.status()]


def restarts(fleet: Fleet) -> int:
    return sum(one.restarts for one in fleet.status())


def test_servers_start_and_stop_together(made: Made) -> None:
    with Fleet(made, 3, spec=SPEC) as fleet:
        assert states(fleet) == ["ready"] * 3
        assert len({endpoint.base_url for endpoint in fleet.endpoints}) == 3
        assert made.running == 3
    assert fleet.status() == []
    fleet.stop()
    with pytest.raises(ClosedError):
        fleet.start()


def test_other_processes_see_it_while_it_runs_and_no_token(tmp_path: Path) -> None:
    with Fleet(tiny(), 2, spec=SPEC) as fleet:
        urls = [one.base_url for one in fleet.endpoints]
        wait_until(lambda: [[one.url for one in seen.servers] for seen in read_fleets()] == [urls])
        (seen,) = read_fleets()
        assert (seen.name, seen.pid, seen.target) == ("tiny", os.getpid(), 2)
        texts = [path.read_text() for path in (tmp_path / "openenv-gym").iterdir()] + [repr(fleet.status())]
        for endpoint in fleet.endpoints:
            assert endpoint.token
            assert not any(endpoint.token in text for text in texts)
    assert read_fleets() == []


def test_a_killed_server_is_replaced(made: Made) -> None:
    with Fleet(made, 2, spec=SPEC, health=QUICK) as fleet:
        before = set(fleet.endpoints)
        os.kill(made.server(0), signal.SIGKILL)
        wait_until(lambda: restarts(fleet) == 1 and states(fleet) == ["ready"] * 2)
        assert len(before & set(fleet.endpoints)) == 1
        (lost,) = [one for one in fleet.status() if one.restarts]
        assert "killed by signal 9" in lost.last_error


def test_a_frozen_server_is_replaced_without_waiting_for_its_end() -> None:
    made = Made(lambda _: tiny(stop_grace=2.0))
    with Fleet(made, 2, spec=SPEC, health=QUICK) as fleet:
        os.kill(made.server(1), signal.SIGSTOP)
        wait_until(lambda: len(made.providers) == 3 and states(fleet) == ["ready"] * 2)
        assert made.providers[1].running, "it takes its time to be killed"
        (lost,) = [one for one in fleet.status() if one.restarts]
        assert "no good answer" in lost.last_error
    assert made.running == 0


def test_a_first_start_in_which_none_comes_up_names_every_reason_and_leaves_nothing() -> None:
    made = Made(lambda number: tiny("dies"))
    with pytest.raises(StartupError) as caught, Fleet(made, 3, spec=SPEC):
        pass
    for name in ("tiny-0", "tiny-1", "tiny-2"):
        assert f"{name}: StartupError: the {name} exited with code 3" in caught.value.log_tail
    assert "last words" in str(caught.value)
    assert made.running == 0
    assert read_fleets() == []


def test_a_start_that_reaches_the_least_size_goes_on_in_the_background() -> None:
    may_start = threading.Event()

    class Late(ProcessProvider):
        def start(self, spec: ServerSpec) -> Endpoint:
            may_start.wait(30)
            return super().start(spec)

    def make(number: int) -> ProcessProvider:
        command = [sys.executable, "-S", str(TINY), "{fd}"]
        return Late(command=command) if number else ProcessProvider(command=command)

    made = Made(make)
    with Fleet(made, 3, spec=SPEC, min_size=1) as fleet:
        assert states(fleet) == ["ready", "starting", "starting"]
        may_start.set()
        wait_until(lambda: states(fleet) == ["ready"] * 3)
    assert made.running == 0


def test_a_factory_that_fails_is_a_start_that_fails() -> None:
    def make() -> ProcessProvider:
        raise ValueError("no provider today")

    with pytest.raises(StartupError, match="no provider today"):
        Fleet(make, 2, spec=SPEC).start()


def test_stopping_ends_a_start_that_waits(made: Made) -> None:
    mute = Made(lambda number: tiny("mute"))
    fleet = Fleet(mute, 2, spec=SPEC)
    outcome: list[Exception] = []

    def start() -> None:
        try:
            fleet.start()
        except OpenEnvGymError as error:
            outcome.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    wait_until(lambda: mute.running == 2)
    stoppers = [threading.Thread(target=fleet.stop) for _ in range(4)]
    for thread in stoppers:
        thread.start()
    for thread in [*stoppers, starter]:
        thread.join(60)
    assert [type(error) for error in outcome] == [ClosedError]
    assert mute.running == 0


def test_a_server_that_is_drained_is_replaced_and_one_too_many_goes(made: Made) -> None:
    with Fleet(made, 2, spec=SPEC) as fleet:
        fleet.drain("tiny-0")
        wait_until(lambda: [one.name for one in fleet.status()] == ["tiny-1", "tiny-2"])
        wait_until(lambda: states(fleet) == ["ready"] * 2)
        fleet.resize(1)
        wait_until(lambda: made.running == 1)
        with pytest.raises(UsageError):
            fleet.resize(0)
        with pytest.raises(UsageError, match="tiny-7"):
            fleet.drain("tiny-7")


def test_a_copy_is_a_fleet_of_its_own() -> None:
    with Fleet(tiny(), 2, spec=SPEC, sessions_per_server=3, max_size=5) as fleet:
        for twin in (copy.copy(fleet), copy.deepcopy(fleet), pickle.loads(pickle.dumps(fleet))):
            assert twin.status() == []
            assert twin.__reduce__()[1][1:] == fleet.__reduce__()[1][1:]
            twin.stop()
        assert states(fleet) == ["ready"] * 2


def test_it_must_be_told_what_to_run_and_how_much() -> None:
    with pytest.raises(StartupError, match=r"needs ServerSpec\.app"):
        Fleet(ProcessProvider(), 2).start()
    for options in (
        {"size": 0},
        {"size": 2, "min_size": 3},
        {"size": 2, "max_size": 1},
        {"parallel_starts": 0},
    ):
        with pytest.raises(UsageError):
            Fleet(tiny(), **options)


def test_users_share_it_and_the_last_one_stops_what_the_first_one_started(made: Made) -> None:
    fleet = Fleet(made, 1)
    fleet.lease(ServerSpec("one:app"))
    fleet.lease(ServerSpec("one:app"))
    fleet.lease(ServerSpec())
    with pytest.raises(UsageError, match="another environment"):
        fleet.lease(ServerSpec("other:app"))
    fleet.release()
    fleet.release()
    assert made.running == 1
    fleet.release()
    assert made.running == 0


def test_users_do_not_stop_what_was_started_before_them(made: Made) -> None:
    with Fleet(made, 1, spec=SPEC) as fleet:
        fleet.lease()
        fleet.release()
        assert states(fleet) == ["ready"]


def test_the_number_of_sessions_is_handed_to_each_server(made: Made) -> None:
    with Fleet(made, 1, spec=SPEC, sessions_per_server=7) as fleet:
        environ = Path(f"/proc/{made.server(0)}/environ").read_bytes().split(b"\0")
        assert b"MAX_CONCURRENT_ENVS=7" in environ
        (status,) = fleet.status()
        assert isinstance(status, ServerStatus)
        assert status.capacity == 7


async def test_it_is_an_asynchronous_context_too(made: Made) -> None:
    async with Fleet(made, 2, spec=SPEC) as fleet:
        assert states(fleet) == ["ready"] * 2
    assert made.running == 0


async def test_a_cancelled_start_leaves_nothing() -> None:
    mute = Made(lambda number: tiny("mute"))

    async def start() -> None:
        async with Fleet(mute, 2, spec=SPEC):
            pass

    starting = asyncio.create_task(start())
    await asyncio.to_thread(wait_until, lambda: mute.running == 2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert mute.running == 0


def test_what_cannot_be_copied_is_refused() -> None:
    with pytest.raises(UsageError, match="its class"):
        Fleet(object(), 2)  # type: ignore[arg-type]
