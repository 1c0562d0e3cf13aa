from __future__ import annotations

import asyncio
import threading
from typing import Any

from openenv_gym.server.executors.loop_thread import environment_loop
from openenv_gym.server.executors.mailbox import mailbox_of
from openenv_gym.wire.messages import ErrorReply, Op, Request
from tests.server import battery
from tests.server.executors.conftest import Make
from tests.server.executors.test_every_execution import reset, step


async def test_a_session_is_one_task_so_that_cancel_scopes_may_span_its_calls(make: Make) -> None:
    executor = make(battery.Scoped, "async")
    await executor.open()
    assert not isinstance(await reset(executor), ErrorReply)
    await executor.close()
    assert battery.left_scopes.pop()


async def test_a_blocking_reset_of_an_async_environment_holds_up_no_other_session(make: Make) -> None:
    executor = make(battery.HalfAsync, "async")
    await executor.open()
    thread = (await reset(executor)).observation["value"]
    assert thread == "session-HalfAsync"
    assert (await step(executor, "where")).observation["value"][1] != threading.get_ident()


async def test_the_second_loop_is_one_for_all_and_not_the_servers(make: Make) -> None:
    threads = set()
    for _ in range(3):
        executor = make(battery.AsyncBattery, "async")
        await executor.open()
        threads.add((await step(executor, "where")).observation["value"][1])
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert environment_loop() is environment_loop()


async def test_a_session_stays_usable_while_others_are_cancelled(make: Make) -> None:
    stuck, fine = make(battery.AsyncBattery, "async"), make(battery.AsyncBattery, "async")
    await stuck.open()
    await fine.open()
    overdue, fresh = await asyncio.gather(step(stuck, "hang", timeout=0.05), step(fine, "echo", "hi"))
    assert isinstance(overdue, ErrorReply)
    assert fresh.observation["text"] == "hi"
    assert fine.usable


async def test_a_mailbox_delivers_in_order_from_any_thread_and_wakes_its_loop_once() -> None:
    loop = asyncio.get_running_loop()
    mailbox = mailbox_of(loop)
    assert mailbox is mailbox_of(loop)
    delivered: list[Any] = []
    wakes = []
    original = loop.call_soon_threadsafe

    def counting(*arguments: Any, **options: Any) -> Any:
        wakes.append(arguments)
        return original(*arguments, **options)

    loop.call_soon_threadsafe = counting  # type: ignore[method-assign]
    done = asyncio.Event()

    def post() -> None:
        for number in range(100):
            mailbox.post(delivered.append, number)
        mailbox.post(done.set)

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()  # the loop had no turn yet
    await done.wait()
    assert delivered == list(range(100))
    assert len(wakes) == 1


def test_a_result_for_a_closed_loop_is_nobodys_error() -> None:
    loop = asyncio.new_event_loop()
    mailbox = mailbox_of(loop)
    loop.close()
    mailbox.post(print, "never")


async def test_state_can_be_asked_of_an_async_environment(make: Make) -> None:
    executor = make(battery.AsyncBattery, "async")
    await executor.open()
    reply: Any = await executor.handle(Request(Op.STATE), 5)
    assert reply.data["step_count"] == 0
