"""Which server gets the next session: the emptiest healthy one; the sick are left alone for a while."""

from __future__ import annotations

import pytest

from openenv_gym.client.balancer import Balancer, Site
from openenv_gym.providers.endpoint import Endpoint


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def balancer(clock: Clock, *urls: str) -> Balancer:
    return Balancer([Endpoint(url) for url in urls], clock=clock, jitter=lambda: 0.0)


def acquired(one: Balancer) -> Site:
    choice = one.acquire()
    assert choice is not None
    site, pause = choice
    assert pause == 0.0
    return site


def test_sessions_are_spread_evenly(clock: Clock) -> None:
    one = balancer(clock, "a", "b", "c")
    urls = [acquired(one).endpoint.base_url for _ in range(9)]
    assert sorted(urls) == ["a"] * 3 + ["b"] * 3 + ["c"] * 3


def test_who_gives_a_session_back_gets_the_next(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    sites = [acquired(one) for _ in range(4)]
    one.release(sites[1])
    assert acquired(one) is sites[1]


def test_a_failing_server_is_avoided_until_its_pause_is_over(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    sick = acquired(one)
    one.release(sick)
    one.failed(sick)
    well = acquired(one)
    assert well is not sick
    assert acquired(one) is well
    clock.now += 60
    assert acquired(one) is sick


def test_pauses_grow_to_a_bound_and_end_with_success(clock: Clock) -> None:
    one = balancer(clock, "a")
    pauses = []
    for _ in range(10):
        site, pause = one.acquire()
        pauses.append(pause)
        one.release(site)
        clock.now += pause
        one.failed(site)
    assert pauses[0] == 0.0
    assert pauses[1:5] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert pauses[5:] == pytest.approx([1.6, 2.0, 2.0, 2.0, 2.0])
    one.succeeded(site)
    assert one.acquire() == (site, 0.0)


def test_many_lanes_failing_at_once_are_one_failure(clock: Clock) -> None:
    one = balancer(clock, "a")
    site = acquired(one)
    for _ in range(100):
        one.failed(site)
    assert one.acquire()[1] == pytest.approx(0.1)


def test_a_full_server_is_asked_again_soon_and_when_it_said(clock: Clock) -> None:
    one = balancer(clock, "a")
    site = acquired(one)
    one.failed(site, full=True, retry_after=0.7)
    assert one.acquire()[1] == pytest.approx(0.7)
    for _ in range(10):
        clock.now += 10
        one.failed(site, full=True, retry_after=3600.0)
    assert one.acquire()[1] == pytest.approx(1.0)


def test_jitter_only_lengthens_a_pause(clock: Clock) -> None:
    one = Balancer([Endpoint("a")], clock=clock, jitter=lambda: 0.5)
    site = acquired(one)
    one.failed(site)
    assert one.acquire()[1] == pytest.approx(0.15)


def filled(one: Balancer, rooms: dict[str, int | None], sessions: int) -> list[int]:
    """Place sessions by what the servers told; how many each has then."""
    told = {site: rooms[site.endpoint.base_url] for site in one.sites if site.endpoint.base_url in rooms}
    for _ in range(sessions):
        assert one.acquire(told)[1] == 0.0
    return [site.sessions for site in one.sites]


def test_servers_that_tell_their_room_are_filled_in_proportion(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    assert filled(one, {"a": 10, "b": 30}, 20) == [5, 15]
    assert filled(one, {"a": 10, "b": 0}, 1) == [6, 15]


def test_a_full_server_gets_nothing_while_another_has_room(clock: Clock) -> None:
    assert filled(balancer(clock, "a", "b", "c"), {"a": 0, "b": 2, "c": 3}, 5) == [0, 2, 3]
    assert filled(balancer(clock, "a", "b"), {"a": 0, "b": None}, 5) == [0, 5]


def test_where_all_are_full_the_rest_wait_where_most_slots_are(clock: Clock) -> None:
    assert filled(balancer(clock, "a", "b"), {"a": 1, "b": 3}, 8) == [2, 6]
    assert filled(balancer(clock, "a", "b"), {"a": 0, "b": 0}, 4) == [2, 2]


def test_who_has_not_answered_gets_nothing_while_others_have(clock: Clock) -> None:
    assert filled(balancer(clock, "a", "b", "c"), {"a": None, "c": 9}, 6) == [3, 0, 3]
    assert filled(balancer(clock, "a", "b"), {}, 6) == [3, 3]


def test_who_failed_gets_nothing_whatever_room_it_told(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    one.failed(one.sites[0])
    assert filled(one, {"a": 99}, 3) == [0, 3]


def with_load(one: Balancer, *loads: int, room: int | None = None) -> list[Site]:
    for site, load in zip(one.sites, loads, strict=True):
        site.sessions, site.capacity = load, room
    return one.sites


@pytest.mark.parametrize("room", [None, 8])
def test_a_session_moves_only_where_that_makes_things_even(clock: Clock, room: int | None) -> None:
    one = balancer(clock, "a", "b", "c")
    first, second, third = with_load(one, 4, 4, 0, room=room)
    assert one.relief(first) is third
    assert third.sessions == 1
    with_load(one, 4, 4, 3, room=room)
    assert one.relief(first) is None
    third.failures = 1
    third.sessions = 0
    assert one.relief(second) is None, "it is sick"


def test_a_server_that_is_not_wanted_is_left_for_any_that_has_room(clock: Clock) -> None:
    one = balancer(clock, "a", "b", "c")
    first, second, third = with_load(one, 1, 7, 8, room=8)
    first.is_draining = True
    assert one.relief(first) is second
    assert one.relief(first) is None, "both are full now"
    third.sessions = 2
    assert one.relief(first) is third


def test_rooms_of_different_size_are_filled_alike(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    small, large = with_load(one, 3, 4)
    small.capacity, large.capacity = 4, 16
    assert one.relief(small) is large
    large.sessions = 12
    assert one.relief(small) is None


def test_nobody_is_sent_to_a_server_that_takes_no_more(clock: Clock) -> None:
    one = balancer(clock, "a", "b")
    one.sites[0].is_draining = True
    assert [acquired(one).endpoint.base_url for _ in range(3)] == ["b"] * 3
    one.sites[1].is_draining = True
    assert one.acquire() is None
