"""The I/O thread's loop: who runs what where, in which order, and for how many wake-ups."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from openenv_gym.client.io_loop import IoLoop
from tests.client.patience import wait_until

PATIENCE = 30.0  # seconds


class CountingLoop(IoLoop):
    """Counts how often another thread wakes it."""

    def __init__(self) -> None:
        super().__init__()
        self.wake_ups = 0

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:
        self.wake_ups += 1
        return super().call_soon_threadsafe(*args, **kwargs)


@pytest.fixture
def loop() -> Iterator[CountingLoop]:
    loop = CountingLoop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def fall_asleep(loop: CountingLoop) -> None:
    wait_until(lambda: loop._bed.asleep)
    loop.wake_ups = 0


def kept_awake(loop: IoLoop) -> Callable[[], None]:
    """Keep a loop busy; returns what lets it go on."""
    busy, go_on = threading.Event(), threading.Event()

    def stay() -> None:
        busy.set()
        assert go_on.wait(PATIENCE)

    loop.enqueue(stay)
    assert busy.wait(PATIENCE)
    return go_on.set


def on_the_loop(loop: IoLoop, callback: Callable[[], Any]) -> Any:
    result: Future[Any] = Future()
    loop.enqueue(lambda: result.set_result(callback()))
    return result.result(PATIENCE)


# --- visits --------------------------------------------------------------------------------------------


def test_a_sleeping_loop_is_visited_without_being_woken(loop: CountingLoop) -> None:
    seen: list[Any] = []
    fall_asleep(loop)
    loop.visit(lambda: seen.extend((threading.current_thread(), asyncio.get_running_loop())))
    assert seen == [threading.current_thread(), loop]
    assert loop.wake_ups == 0
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()  # the visit is over


def test_a_loop_that_is_awake_does_the_work_itself_and_in_order(loop: CountingLoop) -> None:
    done: list[tuple[str, bool]] = []

    def do(what: str) -> None:
        done.append((what, threading.current_thread() is threading.main_thread()))

    go_on = kept_awake(loop)
    loop.enqueue(do, "first")
    loop.visit(do, "second")
    go_on()
    on_the_loop(loop, lambda: None)
    assert done == [("first", False), ("second", False)]


def test_a_visitor_from_another_loop_finds_its_own_again(loop: CountingLoop) -> None:
    async def main() -> None:
        own = asyncio.get_running_loop()
        loop.visit(lambda: None)
        assert asyncio.get_running_loop() is own

    fall_asleep(loop)
    asyncio.run(main())


@pytest.mark.parametrize("when", ["soon", "later", "task"])
def test_what_a_visitor_schedules_is_not_overslept(loop: CountingLoop, when: str) -> None:
    rang = threading.Event()

    async def ring() -> None:
        rang.set()

    def schedule() -> None:
        if when == "soon":
            loop.call_soon(rang.set)
        elif when == "later":
            loop.call_later(0.01, rang.set)
        else:
            tasks.append(loop.create_task(ring()))

    tasks: list[asyncio.Task[None]] = []
    fall_asleep(loop)
    loop.visit(schedule)
    assert rang.wait(PATIENCE)


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_what_a_visit_raises_is_raised_and_the_loop_goes_on(
    loop: CountingLoop, error: type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    fall_asleep(loop)
    with pytest.raises(error):
        loop.visit(fail)
    assert on_the_loop(loop, lambda: 5) == 5


def test_a_loop_wakes_up_only_when_its_visitor_has_left(loop: CountingLoop) -> None:
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def linger() -> None:
        inside.set()
        assert leave.wait(PATIENCE)
        order.append("visitor")

    fall_asleep(loop)
    visitor = threading.Thread(target=loop.visit, args=(linger,))
    visitor.start()
    assert inside.wait(PATIENCE)
    loop.visit(order.append, "loop")  # from a third thread, which does not wait
    assert order == []
    leave.set()
    visitor.join()
    on_the_loop(loop, lambda: None)
    assert order == ["visitor", "loop"]


def test_a_loop_in_debug_mode_takes_no_visitors(loop: CountingLoop) -> None:
    on_the_loop(loop, lambda: loop.set_debug(True))
    seen: list[threading.Thread] = []
    fall_asleep(loop)
    loop.visit(lambda: seen.append(threading.current_thread()))
    on_the_loop(loop, lambda: None)
    assert seen != [threading.current_thread()]


def test_who_awaits_an_alarm_does_not_visit(loop: CountingLoop) -> None:
    def ring(*_: object) -> None:
        raise TimeoutError

    seen: list[threading.Thread] = []
    before = signal.signal(signal.SIGALRM, ring)
    try:
        fall_asleep(loop)
        loop.visit(lambda: seen.append(threading.current_thread()))
        on_the_loop(loop, lambda: None)
        assert seen != [threading.current_thread()]
        elsewhere = threading.Thread(
            target=loop.visit, args=(lambda: seen.append(threading.current_thread()),)
        )
        fall_asleep(loop)
        elsewhere.start()
        elsewhere.join()
        assert seen[1:] == [elsewhere], "signals are for the main thread"
    finally:
        signal.signal(signal.SIGALRM, before)


# --- queues --------------------------------------------------------------------------------------------


def test_what_is_queued_meanwhile_costs_one_wake_up(loop: CountingLoop) -> None:
    done: list[int] = []
    go_on = kept_awake(loop)
    loop.wake_ups = 0
    for number in range(100):
        loop.enqueue(done.append, number)
    go_on()
    assert on_the_loop(loop, lambda: list(done)) == list(range(100))
    assert loop.wake_ups <= 2  # and one that asks for the result


def test_one_queued_callback_that_fails_does_not_keep_the_others(loop: CountingLoop) -> None:
    failures: list[str] = []
    loop.set_exception_handler(lambda _, context: failures.append(repr(context["exception"])))
    done = threading.Event()
    go_on = kept_awake(loop)
    loop.enqueue([].pop)
    loop.enqueue(done.set)
    go_on()
    assert done.wait(PATIENCE)
    assert failures == ["IndexError('pop from empty list')"]


async def test_results_go_home_together(loop: CountingLoop) -> None:
    own, home, arrived = asyncio.get_running_loop(), 0, list[int]()
    original = own.call_soon_threadsafe

    def count(*args: Any, **kwargs: Any) -> asyncio.Handle:
        nonlocal home
        home += 1
        return original(*args, **kwargs)

    own.call_soon_threadsafe = count  # type: ignore[method-assign]
    everything = asyncio.Event()

    def turn() -> None:
        for number in range(10):
            loop.hand_back(own, arrived.append, number)
        loop.hand_back(own, everything.set)

    loop.enqueue(turn)
    await asyncio.wait_for(everything.wait(), PATIENCE)
    assert arrived == list(range(10))
    assert home == 1


def test_results_for_a_loop_that_is_closed_are_dropped(loop: CountingLoop) -> None:
    gone = asyncio.new_event_loop()
    gone.close()
    fall_asleep(loop)
    loop.visit(loop.hand_back, gone, print, "never")
    assert on_the_loop(loop, lambda: 5) == 5
