"""What only a worker process has to stand: crashes, orphans, output, a hostile environment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openenv_gym.server.executors.worker_process import WorkerProcess
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason
from tests.server import battery
from tests.server.executors.conftest import Make, until
from tests.server.executors.test_every_execution import step


@pytest.mark.parametrize(
    ("what", "obituary"),
    [
        ("crash", "was killed by SIGSEGV"),
        ("fork and die", "exited with status 7"),
    ],
)
async def test_a_crash_is_a_reply(make: Make, what: str, obituary: str) -> None:
    executor = make(battery.Battery, "process")
    await executor.open()
    reply = await step(executor, what)
    assert isinstance(reply, ErrorReply)
    assert (reply.code, reply.reason) == (ErrorCode.EXECUTION_ERROR, Reason.CRASHED)
    assert obituary in reply.message
    assert not executor.usable
    await executor.close()


async def test_a_crash_between_calls_is_noticed_by_the_next(make: Make) -> None:
    executor = make(battery.Battery, "process")
    await executor.open()
    pid, _ = (await step(executor, "where")).observation["value"]
    os.kill(pid, signal.SIGKILL)
    reply = await step(executor, "echo")
    assert reply.reason == Reason.CRASHED
    assert "SIGKILL" in reply.message


async def test_a_worker_needs_no_server_extra(make: Make) -> None:
    executor = make(battery.Battery, "process")
    await executor.open()
    loaded = set((await step(executor, "modules")).observation["value"])
    assert "openenv_gym.server.environment" in loaded
    assert not loaded & {"fastapi", "starlette", "uvicorn", "httpx", "websockets"}


async def test_a_worker_is_reaped_though_who_kills_it_is_cancelled() -> None:
    worker = await WorkerProcess.spawn()
    killing = asyncio.create_task(worker.kill())
    await asyncio.sleep(0)
    killing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killing
    assert _state(worker.pid) == "gone", "not even a zombie is left"


async def test_what_the_environment_started_goes_with_it(make: Make) -> None:
    executor = make(battery.Battery, "process")
    await executor.open()
    child = (await step(executor, "spawn")).observation["value"]
    assert _is_alive(child)
    await executor.close()
    await until(lambda: not _is_alive(child))


async def test_a_worker_gets_no_token_and_its_output_goes_to_the_log(
    make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENENV_GYM_TOKEN", "secret")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    executor = make(battery.Battery, "process")
    await executor.open()
    assert (await step(executor, "environ", "OPENENV_GYM_TOKEN")).observation["value"] is None
    assert (await step(executor, "environ", "PYTHONPATH")).observation["value"] is None
    await step(executor, "print", "a line of the game's")
    reply = await step(executor, "surrogate")
    assert (reply.code, reply.details["type"]) == (ErrorCode.EXECUTION_ERROR, "UnicodeEncodeError")
    assert executor.usable
    await executor.close()
    captured = capfd.readouterr()
    assert "a line of the game's" in captured.err
    assert captured.out == ""


OWNER = """
import asyncio, ctypes, sys
from openenv_gym.models import Action, Observation, State
from openenv_gym.server.definition import define
from openenv_gym.server.executors import make_executor
from openenv_gym.wire.messages import Op, Request
import stuck

async def main():
    executor = make_executor(define(stuck.Stuck, Action, Observation, execution="process"))
    await executor.open()
    print((await executor.handle(Request(Op.STATE))).data["pid"], flush=True)
    await executor.handle(Request(Op.RESET))

asyncio.run(main())
"""
STUCK = """
import ctypes, os, pathlib
from openenv_gym.server.environment import Environment

class Stuck(Environment):
    def reset(self, seed=None, episode_id=None):
        pathlib.Path(__file__).with_name("stuck").touch()
        ctypes.PyDLL(None).sleep(600)  # native code that keeps the interpreter's lock

    def step(self, action): ...

    @property
    def state(self):
        return {"pid": os.getpid()}
"""


async def test_a_worker_dies_with_its_owner_even_in_native_code(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", OWNER]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)  # noqa: ASYNC220
    assert owner.stdout is not None
    with owner:
        worker = int(owner.stdout.readline())
        await until(lambda: (tmp_path / "stuck").exists())
        owner.kill()
    await until(lambda: not _is_alive(worker))


def _is_alive(pid: int) -> bool:
    return _state(pid) not in ("Z", "gone")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"
