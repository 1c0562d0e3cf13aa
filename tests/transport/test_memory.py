"""The memory pair keeps every promise of a transport."""

from __future__ import annotations

import asyncio

import pytest

from openenv_gym.transport import ConnectionClosed
from openenv_gym.transport.memory import memory_pair


async def test_messages_arrive_whole_and_in_order_both_ways() -> None:
    left, right = memory_pair()
    for message in ("one", b"two", ""):
        left.send(message)
    right.send("back")
    assert [await right.recv() for _ in range(3)] == ["one", b"two", ""]
    assert await left.recv() == "back"


async def test_recv_waits() -> None:
    left, right = memory_pair()
    waiting = asyncio.create_task(right.recv())
    await asyncio.sleep(0)
    assert not waiting.done()
    left.send("now")
    assert await waiting == "now"


async def test_messages_are_forwarded_until_the_end() -> None:
    left, right = memory_pair()
    taken: list[str | bytes] = []
    left.send("before")
    forwarding = asyncio.create_task(right.forward(taken.append))
    await asyncio.sleep(0)
    left.send("after")
    await left.close()
    with pytest.raises(ConnectionClosed):
        await forwarding
    assert taken == ["before", "after"]


async def test_what_was_sent_before_the_end_is_still_received() -> None:
    left, right = memory_pair()
    left.send("last words")
    await left.close(1008, "enough")
    assert await right.recv() == "last words"
    with pytest.raises(ConnectionClosed) as closed:
        await right.recv()
    assert (closed.value.code, closed.value.reason, closed.value.by_us) == (1008, "enough", False)
    with pytest.raises(ConnectionClosed) as closed:
        await left.recv()
    assert closed.value.by_us


async def test_the_end_wakes_who_waits() -> None:
    left, right = memory_pair()
    waiting = asyncio.create_task(right.recv())
    await asyncio.sleep(0)
    await left.close()
    with pytest.raises(ConnectionClosed):
        await waiting


async def test_after_the_end_sending_does_nothing_and_closing_again_neither() -> None:
    left, right = memory_pair()
    await left.close(1001)
    right.send("too late")
    left.send("too late")
    await right.close(1011)
    with pytest.raises(ConnectionClosed) as closed:
        await right.recv()
    assert closed.value.code == 1001


async def test_progress_and_abort() -> None:
    left, right = memory_pair()
    before = right.progress
    left.send("one")
    assert right.progress != before
    left.abort()
    assert await right.recv() == "one"
    with pytest.raises(ConnectionClosed):
        await right.recv()
    with pytest.raises(ConnectionClosed):
        await left.recv()
