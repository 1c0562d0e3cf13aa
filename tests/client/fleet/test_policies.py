"""When servers are hung, restarted, added, taken away and condemned: rules alone, on a clock of their own."""

from __future__ import annotations

import pytest

from openenv_gym.client.fleet.backoff import Backoff
from openenv_gym.client.fleet.breaker import Breaker, BreakerRules
from openenv_gym.client.fleet.elasticity import Elasticity, ElasticityRules, Load
from openenv_gym.client.fleet.health import Health, HealthRules

# --- health ------------------------------------------------------------------------------------------------


def test_so_many_misses_in_a_row_make_a_server_hung() -> None:
    health = Health(HealthRules(misses=3), now=0.0)
    assert [health.missed(), health.missed()] == [False, False]
    health.answered(1.0)
    assert [health.missed(), health.missed(), health.missed()] == [False, False, True]


def test_misses_while_the_watcher_itself_was_held_up_are_forgiven() -> None:
    health = Health(HealthRules(misses=2), now=0.0)
    health.missed()
    health.forgive()
    assert not health.missed()


def test_every_look_is_cheap_and_some_ask() -> None:
    health = Health(HealthRules(look_interval=1.0, interval=2.0), now=0.0)
    asked = []
    for _ in range(6):
        now = health.wakeup
        asked.append((now, health.take_turn(now)))
    assert asked == [(1.0, False), (2.0, True), (3.0, False), (4.0, True), (5.0, False), (6.0, True)]


# --- starting again ----------------------------------------------------------------------------------------


def test_a_server_that_had_been_up_is_replaced_at_once() -> None:
    backoff = Backoff()
    backoff.served(0.0)
    assert backoff.failed(100.0) == 100.0


def test_pauses_grow_to_a_bound_while_starts_fail() -> None:
    backoff = Backoff()
    pauses = [backoff.failed(0.0) for _ in range(12)]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == 60.0


def test_a_server_that_dies_soon_after_each_start_costs_pauses_too() -> None:
    backoff = Backoff()
    pauses = []
    for _ in range(4):
        backoff.served(0.0)
        pauses.append(backoff.failed(1.0) - 1.0)
    assert pauses == [0.0, 1.0, 2.0, 4.0]
    backoff.served(0.0)
    assert backoff.failed(1000.0) == 1000.0, "it had proved itself"


# --- size --------------------------------------------------------------------------------------------------


def load(**known: int | None) -> Load:
    told = {"servers": 2, "starting": 0, "sessions": 0, "waiting": 0, "emptiest": 0, "capacity": 4}
    return Load(**{**told, **known})  # type: ignore[arg-type]


@pytest.fixture
def elasticity() -> Elasticity:
    return Elasticity(ElasticityRules(min_size=1, max_size=6, up_after=1.0, down_after=60.0), 2)


BUSY = {"sessions": 8, "emptiest": 4}


def test_a_moments_wait_adds_nothing(elasticity: Elasticity) -> None:
    elasticity.observe(0.0, load(waiting=3, **BUSY))
    elasticity.observe(0.9, load(waiting=3, **BUSY))
    elasticity.observe(1.0, load(**BUSY))
    elasticity.observe(1.5, load(waiting=3, **BUSY))
    assert elasticity.target == 2


@pytest.mark.parametrize(("waiting", "target"), [(1, 3), (4, 3), (5, 4), (1000, 6)])
def test_what_waits_gets_servers_within_the_bound(elasticity: Elasticity, waiting: int, target: int) -> None:
    elasticity.observe(0.0, load(waiting=waiting, **BUSY))
    elasticity.observe(1.0, load(waiting=waiting, **BUSY))
    assert elasticity.target == target


def test_servers_on_their_way_are_counted_on(elasticity: Elasticity) -> None:
    for now in range(30):
        elasticity.observe(now, load(servers=3, starting=1, waiting=4, **BUSY))
    assert elasticity.target == 2


def test_where_nobody_tells_a_servers_room_one_is_added_at_a_time(elasticity: Elasticity) -> None:
    elasticity.observe(0.0, load(waiting=9, capacity=None, **BUSY))
    elasticity.observe(1.0, load(waiting=9, capacity=None, **BUSY))
    assert elasticity.target == 3


def test_an_idle_server_goes_after_a_while_down_to_the_least(elasticity: Elasticity) -> None:
    targets = []
    for minute in range(6):
        elasticity.observe(60.0 * minute, load(servers=elasticity.target, capacity=None))
        targets.append(elasticity.target)
    assert targets == [2, 1, 1, 1, 1, 1]


def test_a_server_that_others_could_stand_in_for_goes_only_if_room_is_left(elasticity: Elasticity) -> None:
    for now in (0.0, 60.0, 120.0):
        elasticity.observe(now, load(sessions=4, emptiest=2))
    assert elasticity.target == 2, "four sessions would fill the other server to the brim"
    for now in (180.0, 240.0):
        elasticity.observe(now, load(sessions=3, emptiest=1))
    assert elasticity.target == 1


def test_growing_and_shrinking_do_not_chase_each_other(elasticity: Elasticity) -> None:
    """A load that needs two servers and a little: the target settles."""
    seen = set()
    for now in range(2000):
        servers = elasticity.target
        waiting = max(0, 9 - 4 * servers)
        sessions = 9 - waiting
        elasticity.observe(
            float(now),
            load(servers=servers, sessions=sessions, waiting=waiting, emptiest=sessions // servers),
        )
        seen.add(elasticity.target) if now > 10 else None
    assert seen == {3}


def test_a_size_by_hand_moves_the_bounds(elasticity: Elasticity) -> None:
    elasticity.set_target(9)
    elasticity.observe(0.0, load(servers=9, sessions=36, emptiest=4))
    assert elasticity.target == 9
    elasticity.set_target(1)
    assert elasticity.target == 1


# --- circuit -----------------------------------------------------------------------------------------------

RULES = BreakerRules(failures=3, servers=2, pause=30.0)


def test_so_many_failures_in_a_row_make_a_server_suspicious() -> None:
    breaker = Breaker(RULES)
    assert [breaker.is_suspicious(failures) for failures in (1, 2, 3, 4)] == [False, False, True, True]
    assert not Breaker(BreakerRules(failures=None)).is_suspicious(1000)


def test_replacements_that_fail_alike_open_the_circuit_until_it_is_tried_again() -> None:
    breaker = Breaker(RULES)
    assert breaker.condemns(0.0, "first")
    assert breaker.cause is None
    assert not breaker.condemns(5.0, "second"), "the server stays: replacing it is no cure"
    assert breaker.cause == "second"
    assert not breaker.is_suspicious(3)
    assert not breaker.wake(34.0)
    assert breaker.wake(35.0)
    assert breaker.cause is None
    assert not breaker.condemns(36.0, "third"), "one more is enough now"
    assert breaker.cause == "third"


def test_one_good_episode_closes_it() -> None:
    breaker = Breaker(RULES)
    breaker.condemns(0.0, "why")
    breaker.succeeded()
    assert breaker.condemns(0.0, "why"), "counted from the beginning again"
    breaker.condemns(0.0, "why")
    assert breaker.cause is not None
    breaker.succeeded()
    assert breaker.cause is None
