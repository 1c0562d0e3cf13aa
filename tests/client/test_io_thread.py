"""The I/O thread: hand-over between threads, forks, busy users, and a clean end of the interpreter."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.io_thread import Done, io_thread
from tests.client.patience import wait_until

ROOT = Path(__file__).parents[2]


def never(done: Done) -> None:
    """An operation that reports nothing."""


def run_script(script: str, *arguments: str, flags: tuple[str, ...] = ()) -> str:
    """Run a script in a fresh interpreter; it must end well and say nothing on stderr."""
    finished = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


# --- hand-over -----------------------------------------------------------------------------------------


def test_one_thread_for_all() -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    first = io_thread().run(where())
    assert first is not threading.current_thread()
    assert first.daemon
    assert io_thread().submit(where()).result() is first


def test_what_a_coroutine_raises_comes_out() -> None:
    async def fail() -> None:
        raise LookupError("x")

    with pytest.raises(LookupError):
        io_thread().run(fail())


def test_a_run_out_of_time_is_cancelled() -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        io_thread().run(wait(), timeout=0.01)
    assert ended.wait(30)


def test_a_result_is_handed_over_and_an_error_raised() -> None:
    assert io_thread().call(lambda done: done(5), never) == 5
    with pytest.raises(LookupError):
        io_thread().call(lambda done: done(LookupError()), never)


async def test_the_same_without_blocking() -> None:
    assert await io_thread().acall(lambda done: done(5), never) == 5
    with pytest.raises(LookupError):
        await io_thread().acall(lambda done: done(LookupError()), never)


async def test_a_cancelled_caller_gives_up_what_it_started() -> None:
    started: list[Done] = []
    given_up: list[Done] = []
    call = asyncio.create_task(io_thread().acall(started.append, given_up.append))
    await asyncio.to_thread(wait_until, lambda: started)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(wait_until, lambda: given_up)
    assert given_up == started
    started[0]("too late")
    await asyncio.sleep(0)


def test_a_result_for_a_loop_that_is_gone_is_dropped() -> None:
    started: list[Done] = []

    async def abandon() -> None:
        task = asyncio.create_task(io_thread().acall(started.append, never))
        await asyncio.to_thread(wait_until, lambda: started)
        task.cancel()

    asyncio.run(abandon())
    io_thread().call(lambda done: (started[0]("nobody"), done(None)), never)


# --- busy users ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
def test_pings_are_answered_while_the_user_is_busy(asynchronous: bool) -> None:
    pongs: list[float] = []

    async def ping_on(peer: ServerConnection) -> None:
        while True:
            pongs.append(await (await peer.ping()))

    async def handle(peer: ServerConnection) -> None:
        pinging = asyncio.create_task(ping_on(peer))
        await peer.recv()  # the goodbye
        pinging.cancel()

    async def listen() -> Any:
        return await serve(handle, "127.0.0.1", 0)

    def busy() -> None:
        seen = len(pongs)
        wait_until(lambda: len(pongs) >= seen + 3)  # this thread, and any loop it runs, does nothing else

    server = io_thread().run(listen())
    client = GenericEnvClient(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    if asynchronous:

        async def use() -> None:
            async with client:
                busy()

        asyncio.run(use())
    else:
        with client.sync():
            busy()
    io_thread().run(_close(server))


async def _close(server: Any) -> None:
    server.close()
    await server.wait_closed()


# --- interrupts ----------------------------------------------------------------------------------------

INTERRUPTS = """
    import os, signal, sys, threading, time
    from openenv_gym.client.generic_client import GenericEnvClient
    from openenv_gym.errors import SessionLostError

    due = threading.Event()

    def interrupt():
        for tens in range(200):
            due.wait()
            due.clear()
            time.sleep(tens * 1e-5)
            os.kill(os.getpid(), signal.SIGINT)

    def step(client, message):
        assert client.step({"say": message}).observation["said"] == message

    threading.Thread(target=interrupt, daemon=True).start()
    with GenericEnvClient(sys.argv[1]).sync() as client, GenericEnvClient(sys.argv[1]).sync() as other:
        client.reset()
        other.reset()
        for nth in range(200):
            try:
                due.set()
                while True:
                    step(client, f"{nth}")
            except KeyboardInterrupt:
                pass
            try:
                step(client, "again")
            except SessionLostError:
                client.reset()
                step(client, "again")
            step(other, "not concerned")
    print("fine")
"""


def test_a_client_that_is_interrupted_at_any_moment_can_be_used_again(url: str) -> None:
    assert run_script(INTERRUPTS, url) == "fine\n"


# --- forks ---------------------------------------------------------------------------------------------

FORK = """
    import os, sys
    from openenv_gym.client.generic_client import GenericEnvClient
    from openenv_gym.client.pool import SessionPool
    from openenv_gym.errors import SessionLostError, UsageError
    from openenv_gym.providers.endpoint import Endpoint
    from openenv_gym.wire.messages import Op, Request

    url = sys.argv[1]
    used, unused = GenericEnvClient(url).sync(), GenericEnvClient(url).sync()
    used.reset()
    used.step({"say": "x"})
    pool = SessionPool([Endpoint(url)], 2)
    pool.submit([(0, Request(Op.RESET)), (1, Request(Op.RESET))], 30)
    pool.collect(2)

    if (child := os.fork()) == 0:
        status = 1
        try:
            unused.reset()
            assert unused.step({"say": "x"}).observation["steps"] == 1
            unused.close()
            try:
                used.step({"say": "x"})
            except SessionLostError as error:
                assert "forked" in str(error)
            else:
                raise AssertionError("the child stepped its parent's session")
            used.reset()
            assert used.step({"say": "x"}).observation["steps"] == 1
            used.close()
            try:
                pool.collect(0)
            except UsageError as error:
                assert "parent" in str(error)
            pool.close()
            status = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    assert os.waitpid(child, 0)[1] == 0
    assert used.step({"say": "x"}).observation["steps"] == 2
    used.close()
    pool.submit([(0, Request(Op.STEP, {"say": "x"}))], 30)
    assert pool.collect(1)[0][1].observation["steps"] == 1
    pool.close()
    unused.close()
    print("fine")
"""


def test_a_forked_child_has_sessions_of_its_own_and_leaves_the_parents_alone(url: str) -> None:
    # Later Pythons warn of any fork beside threads; that it goes well is what is tested.
    assert run_script(FORK, url, flags=("-W", "ignore:This process:DeprecationWarning")) == "fine\n"


# --- the end of the interpreter ------------------------------------------------------------------------


def test_the_interpreter_ends_in_silence_after_orderly_use(url: str) -> None:
    script = """
        import asyncio, sys
        from openenv_gym.client.generic_client import GenericEnvClient

        with GenericEnvClient(sys.argv[1]).sync() as client:
            client.reset()

        async def main():
            async with GenericEnvClient(sys.argv[1]) as client:
                await client.reset()

        asyncio.run(main())
    """
    run_script(script, url, flags=("-W", "error"))


def test_the_interpreter_ends_when_clients_are_left_open_and_calls_run(url: str) -> None:
    script = """
        import sys, threading
        from openenv_gym.client.generic_client import GenericEnvClient
        from openenv_gym.client.pool import SessionPool
        from openenv_gym.providers.endpoint import Endpoint
        from openenv_gym.wire.messages import Op, Request

        client = GenericEnvClient(sys.argv[1]).sync()
        client.reset()
        stuck = GenericEnvClient(sys.argv[1]).sync()
        stuck.reset()
        threading.Thread(target=stuck.step, args=({"do": "hang"},), daemon=True).start()
        pool = SessionPool([Endpoint(sys.argv[1])], 2)
        pool.submit([(0, Request(Op.RESET)), (1, Request(Op.RESET, {"do": "hang"}))])
        pool.collect(1)
    """
    run_script(script, url)


def test_importing_a_client_starts_nothing_and_loads_no_network_library() -> None:
    script = """
        import sys, threading
        import openenv_gym.client.generic_client, openenv_gym.client.sync_client
        import openenv_gym.client.pool, openenv_gym.client.schemas
        assert threading.active_count() == 1
        print(sorted({"websockets", "httpx", "fastapi", "uvicorn", "starlette"} & sys.modules.keys()))
    """
    assert run_script(script) == "[]\n"
