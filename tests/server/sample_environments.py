"""Small environments, well and badly behaved, that the server's tests serve."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from typing import Any

from openenv_gym.server import Action, Environment, EnvironmentMetadata, Observation, State


class Say(Action):
    message: str


class Heard(Observation):
    echo: str = ""


class Parrot(Environment[Say, Heard, State]):
    """Repeats what it is told; "end" ends the episode."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    MAX_SESSIONS = 8

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    def reset(self, seed: int | None = None, episode_id: str | None = None, greeting: str = "hello") -> Heard:
        self._state = State(episode_id=episode_id)
        return Heard(echo=greeting)

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        self._state.step_count += 1
        return Heard(echo=action.message, reward=float(len(action.message)), done=action.message == "end")

    @property
    def state(self) -> State:
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="Parrot", description="Repeats what it is told", version="2.1")


class Librarian(Parrot):
    """Has tasks."""

    def list_splits(self) -> list[Any]:
        return ["train", "hard", {"name": "test", "type": "test", "note": "kept"}]

    def list_tasks(self, split: str) -> list[Any]:
        return [{"id": f"{split}-{index}"} for index in range(3)]

    def num_tasks(self, split: str) -> int:
        if split == "broken":
            raise RuntimeError("no such shelf")
        return 3

    def get_task(self, split: str, index: int) -> Any:
        return self.list_tasks(split)[index]

    async def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[Any]:
        return self.list_tasks(split)[start:stop]


class Solitary(Parrot):
    """Allows one instance at a time, and checks it."""

    SUPPORTS_CONCURRENT_SESSIONS = False
    living = 0

    def __init__(self) -> None:
        super().__init__()
        assert Solitary.living == 0, "two instances at once"
        Solitary.living += 1

    def close(self) -> None:
        Solitary.living -= 1


class Sulking(Parrot):
    """Raises in the method that the class attribute names."""

    SULKS_IN = ""

    def __init__(self) -> None:
        super().__init__()
        self._sulk("init")

    def reset(self, seed: int | None = None, episode_id: str | None = None, greeting: str = "hello") -> Heard:
        self._sulk("reset")
        return super().reset(seed, episode_id, greeting)

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        self._sulk("step")
        return super().step(action, timeout_s)

    @property
    def state(self) -> State:
        self._sulk("state")
        return self._state

    def close(self) -> None:
        self._sulk("close")

    def _sulk(self, where: str) -> None:
        if where == self.SULKS_IN:
            raise LookupError(f"sulking in {where}")


class Sleeper(Parrot):
    """Its step ("sleep") returns when ``woken`` is set, which the test does."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep, self.woken, self.closed = threading.Event(), threading.Event(), threading.Event()
        type(self).latest = self

    latest: Sleeper

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message == "sleep":
            self.asleep.set()
            self.woken.wait(60)
        return super().step(action, timeout_s)

    def close(self) -> None:
        self.closed.set()


class InlineParrot(Parrot):
    EXECUTION = "inline"


class ProcessParrot(Parrot):
    """Lives in a process of its own, which "die" ends."""

    EXECUTION = "process"

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message == "die":
            os._exit(3)
        return super().step(action, timeout_s)


class AsyncParrot(Parrot):
    async def step_async(self, action: Say, timeout_s: float | None = None, **kwargs: Any) -> Heard:
        await asyncio.sleep(0)
        return self.step(action, timeout_s)


class Gambler(Parrot):
    """Draws a number each step, and can go back; fails in the method of the two that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self._rng = random.Random(0)
        self._fails_in = ""

    def reset(self, seed: int | None = None, episode_id: str | None = None, greeting: str = "hello") -> Heard:
        self._rng.seed(seed)
        self._fails_in = ""
        return super().reset(seed, episode_id, greeting)

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message in ("snapshot", "restore"):
            self._fails_in = action.message
        heard = super().step(action, timeout_s)
        return heard.model_copy(update={"echo": f"{action.message} {self._rng.randrange(10**9)}"})

    def snapshot(self) -> Any:
        if self._fails_in == "snapshot":
            raise LookupError("lost the dice")
        return self._rng.getstate(), self._state.model_copy(), self._fails_in

    def restore(self, state: Any) -> None:
        rng, self._state, fails_in = state[0], state[1].model_copy(), state[2]
        if fails_in == "restore":
            raise LookupError("lost the dice")
        self._rng.setstate(rng)
        self._fails_in = fails_in


class InlineGambler(Gambler):
    EXECUTION = "inline"


class ProcessGambler(Gambler):
    EXECUTION = "process"


class AsyncGambler(Gambler):
    async def step_async(self, action: Say, timeout_s: float | None = None, **kwargs: Any) -> Heard:
        await asyncio.sleep(0)
        return self.step(action, timeout_s)

    async def snapshot(self) -> Any:
        await asyncio.sleep(0)
        return super().snapshot()

    async def restore(self, state: Any) -> None:
        await asyncio.sleep(0)
        super().restore(state)


class Unspeakable(Parrot):
    """Observes what JSON cannot carry."""

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message == "surrogate":
            return Heard(echo="\ud800")
        return super().step(action, timeout_s)
