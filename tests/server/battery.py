"""Environments that do whatever their action says, well or badly, in a synchronous and an asynchronous form.

Worker processes import this module by its name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from typing import Any

import anyio
import numpy as np
from pydantic import BaseModel

from openenv_gym.errors import InvalidActionError, NotResetError
from openenv_gym.models import Action, Observation, State
from openenv_gym.server.environment import Environment

release = threading.Event()
"""Set it, and every call that hangs in this process returns."""

left_scopes: list[anyio.CancelScope] = []
"""The scopes that `Scoped` left."""


class Do(Action):
    what: str = "echo"
    text: str = ""


class Seen(Observation):
    text: str = ""
    value: Any = None


class Strict(BaseModel):
    number: int


def perform(do: Do, timeout_s: float | None) -> Any:
    """Do what the action says, at once."""
    match do.what:
        case "echo":
            return Seen(text=do.text, reward=0.5)
        case "raise":
            raise ValueError(f"no {do.text}")
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "cancel":
            raise asyncio.CancelledError
        case "inner validation":
            Strict.model_validate({"number": do.text})
        case "refuse":
            raise InvalidActionError(f"{do.text} is an illegal move")
        case "not reset":
            raise NotResetError("set the board up first")
        case "wrong type":
            return {"text": do.text}
        case "unsendable":
            return Seen(value=object())
        case "surrogate":
            return Seen(text="\ud800")
        case "nan":
            return Seen(reward=float("nan"))
        case "huge":
            return Seen(text="x" * 5_000_000)
        case "array":
            return Seen(value=np.arange(6, dtype=np.uint8).reshape(2, 3))
        case "timeout":
            return Seen(value=timeout_s)
        case "where":
            return Seen(value=[os.getpid(), threading.get_ident()])
        case "environ":
            return Seen(value=os.environ.get(do.text))
        case "modules":
            return Seen(value=sorted(sys.modules))
        case "print":
            print(do.text)
            return Seen()
        case "spawn":
            return Seen(value=subprocess.Popen(["sleep", "600"]).pid)
        case "fork and die":
            if os.fork() == 0:
                time.sleep(600)
            os._exit(7)
        case "die":
            os._exit(7)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError(f"unknown action {do.what}")


class Battery(Environment[Do, Seen, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, level: int = 1, broken: bool = False
    ) -> Seen:
        if broken:
            raise RuntimeError("the level file is missing")
        self._state = State(episode_id=episode_id)
        return Seen(text=f"level {level}", value=seed)

    def step(self, action: Do, timeout_s: float | None = None) -> Seen:  # type: ignore[override]
        if action.what == "hang":
            release.wait(60)
            return Seen()
        self._state.step_count += 1
        return perform(action, timeout_s)  # type: ignore[no-any-return]

    @property
    def state(self) -> State:
        return self._state


class AsyncBattery(Environment[Do, Seen, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    async def reset(  # type: ignore[override]
        self, seed: int | None = None, episode_id: str | None = None, level: int = 1, broken: bool = False
    ) -> Seen:
        if broken:
            raise RuntimeError("the level file is missing")
        self._state = State(episode_id=episode_id)
        return Seen(text=f"level {level}", value=seed)

    async def step(self, action: Do, timeout_s: float | None = None) -> Seen:  # type: ignore[override]
        if action.what == "hang":
            await asyncio.sleep(60)
        while action.what == "hang stubbornly" and not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        if action.what == "hang stubbornly":
            return Seen()
        self._state.step_count += 1
        return perform(action, timeout_s)  # type: ignore[no-any-return]

    @property
    def state(self) -> State:
        return self._state


class Ledger(Battery):
    """Keeps a sqlite connection, which only the thread that made it may use; ``close`` writes to it last.

    The file is named by the environment variable ``LEDGER``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._database = sqlite3.connect(os.environ["LEDGER"])
        self._database.execute("create table entries (text)")

    def step(self, action: Do, timeout_s: float | None = None) -> Seen:  # type: ignore[override]
        self._write(action.text)
        return Seen()

    def close(self) -> None:
        self._write("closed")
        self._database.close()

    def _write(self, text: str) -> None:
        self._database.execute("insert into entries values (?)", (text,))
        self._database.commit()


class AsyncLedger(Ledger):
    async def reset(self, seed: int | None = None, episode_id: str | None = None) -> Seen:  # type: ignore[override]
        return Seen()

    async def step(self, action: Do, timeout_s: float | None = None) -> Seen:  # type: ignore[override]
        return super().step(action)

    async def close(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().close()


class Unmakeable(Battery):
    def __init__(self) -> None:
        raise OSError("the game's files are missing")


class HangsWhenMade(Battery):
    def __init__(self) -> None:
        release.wait(60)
        super().__init__()


class HangsWhenClosed(Battery):
    def close(self) -> None:
        release.wait(60)


class HangsWhenClosedAsync(AsyncBattery):
    async def close(self) -> None:  # type: ignore[override]
        await asyncio.sleep(60)


class RaisesWhenClosed(Battery):
    def close(self) -> None:
        raise RuntimeError("cannot close")


class Scoped(AsyncBattery):
    """Enters an anyio cancel scope in reset and leaves it in close: legal in one and the same task only."""

    async def reset(self, seed: int | None = None, episode_id: str | None = None) -> Seen:  # type: ignore[override]
        self.scope = anyio.CancelScope()
        self.scope.__enter__()
        return Seen()

    async def close(self) -> None:  # type: ignore[override]
        self.scope.__exit__(None, None, None)
        left_scopes.append(self.scope)


class HalfAsync(AsyncBattery):
    """Asynchronous steps, but a reset that blocks its thread."""

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Seen:  # type: ignore[override]
        return Seen(value=threading.current_thread().name)


class PlainAction(BaseModel):
    move: str


class PlainObservation(BaseModel):
    board: str
    truncated: bool = False  # this author's field: the text was cut
    done: bool = False
    reward: float | None = None


class Foreign:
    """An environment that inherits nothing of ours and takes no seed."""

    def __init__(self) -> None:
        self.moves: list[str] = []

    def reset(self, task: str = "default") -> PlainObservation:
        self.moves = []
        return PlainObservation(board=task, truncated=True)

    def step(self, action: PlainAction) -> PlainObservation:
        self.moves.append(action.move)
        return PlainObservation(board=" ".join(self.moves), reward=1, done=len(self.moves) == 2)

    @property
    def state(self) -> dict[str, Any]:
        return {"moves": self.moves}
