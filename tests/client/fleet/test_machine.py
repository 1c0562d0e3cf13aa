"""`FleetMachine`: what it commands, on a clock of its own."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from openenv_gym.client.fleet.breaker import BreakerRules
from openenv_gym.client.fleet.commands import End, Look, Start, Stop
from openenv_gym.client.fleet.elasticity import ElasticityRules
from openenv_gym.client.fleet.health import HealthRules
from openenv_gym.client.fleet.machine import FleetMachine
from openenv_gym.client.roster_view import Census, SiteCount
from openenv_gym.errors import UsageError
from openenv_gym.providers.endpoint import Endpoint

HEALTH = HealthRules(look_interval=1.0, interval=2.0, timeout=5.0, misses=3)


class Drill:
    """Carries out a machine's commands by hand, in a time that moves when it is told to.

    Attributes:
        up: Endpoints of the servers that run, by their number.
        starts: Numbers of the servers that are being started.
        stopped: Numbers of those that were stopped.
        hanging: Endpoints that answer nothing.
        dead: Endpoints whose server has ended.
        sessions: What pools say of each endpoint.
    """

    def __init__(
        self, size: int = 3, *, least: int | None = None, most: int | None = None, **options: Any
    ) -> None:
        self.now = 1000.0
        self.up: dict[int, Endpoint] = {}
        self.starts: list[int] = []
        self.stopped: list[int] = []
        self.hanging: set[Endpoint] = set()
        self.dead: set[Endpoint] = set()
        self.counts: dict[Endpoint, SiteCount] = {}
        self.waiting = 0
        self.successes = 0
        self.failing = False
        given = {"sessions_per_server": 4, "parallel_starts": 8, "drain_timeout": 100.0, **options}
        self.machine = FleetMachine(
            "s",
            size,
            elasticity=ElasticityRules(least or size, most or size),
            health=HEALTH,
            breaker=BreakerRules(failures=3, servers=2, pause=30.0),
            **given,
        )

    def turn(self, seconds: float = 0.0) -> None:
        """Let some time pass, and have the machine act, without finishing any start."""
        self.now += seconds
        self.machine.observe(self.now, [Census(dict(self.counts), self.waiting, self.successes)])
        self.machine.tick(self.now)
        for command in self.machine.take_commands():
            match command:
                case Start(run, _):
                    self.starts.append(run)
                case Stop(run, _):
                    self.stopped.append(run)
                    self.up.pop(run, None)
                case Look(run, endpoint, asks) if not (asks and endpoint in self.hanging):
                    end = End("exited with code 3", "bye") if endpoint in self.dead else None
                    self.machine.looked(self.now, run, end, None, asked=asks)

    def finish(self) -> None:
        """End every start that is under way."""
        starts, self.starts = self.starts, []
        for run in starts:
            if self.failing:
                self.machine.start_failed(self.now, run, "no such image")
            else:
                self.up[run] = Endpoint(f"http://host:{run}")
                self.machine.started(self.now, run, self.up[run])

    def run(self, seconds: float) -> None:
        """Let time pass in small steps; starts take no time."""
        for _ in range(int(seconds / 0.5)):
            self.turn(0.5)
            self.finish()

    def states(self) -> list[str]:
        return [str(one.state) for one in self.machine.status(0.0)]

    @property
    def serving(self) -> set[str]:
        return {one.endpoint.base_url for one in self.machine.view.servers if not one.is_draining}


@pytest.fixture
def drill() -> Drill:
    drill = Drill()
    drill.turn()
    drill.finish()
    return drill


def test_servers_start_together_up_to_the_bound() -> None:
    drill = Drill(5, parallel_starts=2)
    drill.turn()
    assert drill.starts == [1, 2]
    drill.turn(0.5)
    assert drill.starts == [1, 2]
    drill.finish()
    drill.turn(0.5)
    assert drill.starts == [3, 4]
    assert drill.states() == ["ready"] * 2 + ["starting"] * 3


def test_a_server_that_ends_is_replaced_at_once_and_its_end_is_told(drill: Drill) -> None:
    lost = drill.up[2]
    drill.dead.add(lost)
    drill.turn(1.0)
    drill.turn()
    assert drill.stopped == [2]
    assert drill.starts == [4]
    assert drill.machine.view.causes[lost] == "the server s-1 is gone: it exited with code 3"
    assert lost.base_url not in drill.serving
    drill.finish()
    (status,) = [one for one in drill.machine.status(0.0) if one.name == "s-1"]
    assert (status.state, status.restarts) == ("ready", 1)
    assert "bye" in status.last_error


def test_a_server_that_answers_nothing_is_hung_after_so_many_questions(drill: Drill) -> None:
    drill.hanging.add(drill.up[1])
    began = drill.now
    while 1 not in drill.stopped:
        drill.turn(0.5)
    assert drill.now - began <= 3 * (HEALTH.interval + HEALTH.timeout) + 2 * HEALTH.interval
    assert [place.name for place in drill.machine.status(0.0) if place.state == "ready"] == ["s-1", "s-2"]
    assert "no good answer 3 times" in next(iter(drill.machine.view.causes.values()))


def test_questions_answered_badly_count_and_good_answers_forgive(drill: Drill) -> None:
    machine, run = drill.machine, 1
    for problem in ("503", "503", None, "503", "503"):
        while True:
            drill.now += 0.5
            machine.tick(drill.now)
            looks = [one for one in machine.take_commands() if isinstance(one, Look)]
            for look in looks:
                answer = problem if look.run == run and look.asks else None
                machine.looked(drill.now, look.run, None, answer, asked=look.asks)
            if any(look.run == run and look.asks for look in looks):
                break
    assert machine.ready == 3


def test_a_server_that_is_seen_to_be_frozen_needs_no_question(drill: Drill) -> None:
    machine, began = drill.machine, drill.now
    while machine.ready == 3:
        drill.now += 0.5
        machine.tick(drill.now)
        for look in machine.take_commands():
            assert isinstance(look, Look)
            if look.run != 1:
                machine.looked(drill.now, look.run, None, None, asked=look.asks)
            elif not look.asks:
                machine.looked(drill.now, 1, None, "it is paused", asked=False)
    assert drill.now - began <= 3 * HEALTH.look_interval + 0.5


def test_looks_that_stall_with_the_whole_process_condemn_nobody(drill: Drill) -> None:
    drill.hanging.update(drill.up.values())
    drill.turn(2.0)
    for _ in range(20):
        drill.turn(60.0)
    assert drill.machine.ready == 3


def test_starts_that_fail_are_repeated_with_growing_pauses_and_shown(drill: Drill) -> None:
    drill.failing = True
    drill.dead.add(drill.up[1])
    begun = []
    for _ in range(240):
        drill.turn(0.5)
        begun += [drill.now] * len(drill.starts)
        drill.finish()
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(begun)]
    assert pauses == sorted(pauses)
    assert 5 <= len(begun) <= 9
    (status,) = [one for one in drill.machine.status(0.0) if one.state == "dead"]
    assert status.last_error == "no such image"


def test_a_first_start_in_which_nothing_comes_up_is_hopeless_with_every_reason() -> None:
    drill = Drill(2)
    drill.failing = True
    drill.turn()
    assert drill.machine.hopeless is None
    drill.finish()
    assert drill.machine.hopeless == ["s-0: no such image", "s-1: no such image"]


def test_a_first_start_of_which_a_part_comes_up_is_given_more_tries() -> None:
    drill = Drill(2)
    drill.turn()
    drill.machine.started(drill.now, 1, Endpoint("http://host:1"))
    tries = 0
    while drill.machine.hopeless is None:
        tries += 1
        drill.machine.start_failed(drill.now, max(drill.starts), "no such image")
        while drill.machine.hopeless is None and len(drill.starts) < tries + 2:
            drill.turn(0.5)
    assert tries == 3
    assert drill.machine.hopeless == ["s-1: no such image"]


def test_a_fleet_above_its_least_size_is_not_hopeless() -> None:
    drill = Drill(2, least=1)
    drill.turn()
    drill.machine.started(drill.now, 1, Endpoint("http://host:1"))
    drill.failing = True
    drill.starts.remove(1)
    drill.finish()
    drill.run(100.0)
    assert drill.machine.hopeless is None


def test_a_drained_server_goes_when_its_sessions_are_over_and_another_comes(drill: Drill) -> None:
    drained = drill.up[1]
    drill.counts[drained] = SiteCount(sessions=2)
    drill.machine.drain(drill.now, "s-0", None)
    drill.run(5.0)
    assert drained.base_url not in drill.serving
    assert len(drill.serving) == 3
    assert drill.states().count("draining") == 1
    drill.counts[drained] = SiteCount(sessions=0)
    drill.run(5.0)
    assert 1 not in drill.stopped, "a pool that was not told yet may still send sessions there"
    drill.counts[drained] = SiteCount(sessions=0, is_draining=True)
    drill.run(1.0)
    assert drill.stopped == [1]
    assert drill.states() == ["ready"] * 3


def test_a_drain_ends_at_its_deadline(drill: Drill) -> None:
    drill.counts[drill.up[1]] = SiteCount(sessions=2, is_draining=True)
    drill.machine.drain(drill.now, "s-0", 7.0)
    drill.run(6.5)
    assert drill.stopped == []
    drill.run(1.0)
    assert drill.stopped == [1]


def test_a_draining_server_that_ends_is_not_replaced_twice(drill: Drill) -> None:
    drill.counts[drill.up[1]] = SiteCount(sessions=2, is_draining=True)
    drill.machine.drain(drill.now, "s-0", None)
    drill.dead.add(drill.up[1])
    drill.run(5.0)
    assert drill.states() == ["ready"] * 3


def test_only_what_there_is_can_be_drained(drill: Drill) -> None:
    with pytest.raises(UsageError, match="s-0, s-1, s-2"):
        drill.machine.drain(drill.now, "s-9", None)


def test_a_fleet_that_is_made_smaller_drains_its_emptiest_servers(drill: Drill) -> None:
    for run, sessions in ((1, 3), (2, 0), (3, 1)):
        drill.counts[drill.up[run]] = SiteCount(sessions=sessions, is_draining=True)
    drill.machine.resize(1)
    drill.run(2.0)
    assert drill.stopped == [2]
    assert drill.states() == ["ready", "draining"]
    drill.machine.resize(4)
    drill.run(2.0)
    assert drill.states().count("ready") == 4


def test_sessions_that_wait_make_a_fleet_grow_and_idleness_makes_it_shrink() -> None:
    drill = Drill(1, most=4)
    drill.run(2.0)
    drill.waiting = 9
    drill.run(3.0)
    assert drill.machine.ready == 4
    drill.waiting = 0
    drill.run(400.0)
    assert drill.states() == ["ready"]


def test_no_episode_is_cut_only_because_a_server_is_superfluous() -> None:
    drill = Drill(2, least=1, drain_timeout=1.0)
    drill.run(2.0)
    for run in (1, 2):
        drill.counts[drill.up[run]] = SiteCount(sessions=1, is_draining=True)
    drill.run(1000.0)
    assert drill.states() == ["draining", "ready"]
    drill.counts[drill.up[1]] = SiteCount(sessions=0, is_draining=True)
    drill.run(1.0)
    assert drill.states() == ["ready"]


def test_a_server_that_fails_each_session_is_replaced_then_the_circuit_opens(drill: Drill) -> None:
    def fail(run: int) -> None:
        drill.counts = {drill.up[run]: SiteCount(sessions=1, misfires=3, last_misfire="ValueError: no")}

    fail(1)
    drill.turn(0.5)
    assert drill.stopped == [], "it may be that it just died"
    drill.run(3.0)
    assert drill.stopped == [1]
    assert not drill.machine.view.is_open
    fail(4)
    drill.run(3.0)
    assert drill.stopped == [1], "more of the same is no cure"
    assert drill.machine.view.is_open
    assert "ValueError: no" in drill.machine.view.trouble
    assert drill.states() == ["broken"] * 3
    drill.counts = {}
    drill.run(31.0)
    assert not drill.machine.view.is_open
    drill.successes = 1
    drill.run(1.0)
    assert drill.states() == ["ready"] * 3


def test_sessions_that_fail_because_their_server_died_do_not_count_for_the_circuit(drill: Drill) -> None:
    for _ in range(4):
        run = min(drill.up)
        lost = drill.up[run]
        drill.counts = {lost: SiteCount(sessions=1, misfires=50, last_misfire="SessionLostError")}
        drill.dead.add(lost)
        drill.run(3.0)
        assert run in drill.stopped
        assert "exited" in drill.machine.view.causes[lost]
    assert not drill.machine.view.is_open


def test_trouble_tells_why_there_is_no_server(drill: Drill) -> None:
    assert drill.machine.view.trouble == ""
    drill.failing = True
    drill.dead.update(drill.up.values())
    drill.run(4.0)
    assert "no such image" in drill.machine.view.trouble
    assert not drill.machine.view.is_open


def test_a_start_that_ends_after_the_fleet_is_stopped_before_it_counts_is_stopped() -> None:
    drill = Drill(2)
    drill.turn()
    drill.machine.shut(drill.now)
    drill.turn()
    assert sorted(drill.stopped) == [1, 2]
    drill.finish()
    assert drill.machine.view.servers == ()
    drill.run(10.0)
    assert drill.starts == []
