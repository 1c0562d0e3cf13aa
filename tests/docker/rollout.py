"""An agent that steps each lane of a vector environment as it is ready, and checks every transition."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from echo_env import EchoAction
from openenv_gym import RemoteVectorEnv

_GREETING = "Echo environment ready!"
_PATIENCE = 120.0  # seconds until something is to hold; only what is broken takes them
_PAUSE = 0.03  # seconds between turns: nothing here measures throughput
_PROOF = 3  # steps in one episode by which a lane is known to work


class Rollout:
    """Episodes of the Echo environment, which go on until something ends them.

    Args:
        envs: Where; it is reset here.

    Attributes:
        faults: Each fault's lane and text, in order.
        slowest: Seconds that the slowest sound step took, from `send` to `recv`.
        slowest_fault: Seconds after which the latest fault was told.
    """

    def __init__(self, envs: RemoteVectorEnv) -> None:
        self.faults: list[tuple[int, str]] = []
        self.slowest = self.slowest_fault = 0.0
        self._envs = envs
        observations, _ = envs.reset()
        assert set(observations["echoed_message"]) == {_GREETING}
        self._lanes = [_Lane(index) for index in range(envs.num_envs)]
        self._send(range(envs.num_envs))

    def play(self, until: Callable[[], object]) -> None:
        """Play until something holds, and then until every lane is seen to work."""
        is_reached = self._goal(until)
        while not is_reached():
            self._take(*self._envs.recv(timeout=_PATIENCE))
            time.sleep(_PAUSE)

    async def aplay(self, until: Callable[[], object]) -> None:
        """The same by the asyncio face."""
        is_reached = self._goal(until)
        while not is_reached():
            self._take(*await self._envs.aio.recv(timeout=_PATIENCE))
            await asyncio.sleep(_PAUSE)

    def _goal(self, until: Callable[[], object]) -> Callable[[], bool]:
        give_up_at = time.monotonic() + _PATIENCE
        goals: list[int] | None = None

        def is_reached() -> bool:
            nonlocal goals
            assert time.monotonic() < give_up_at, f"it does not come to pass, after the faults {self.faults}"
            if goals is None and until():
                goals = [lane.sound_steps + _PROOF for lane in self._lanes]
            if goals is None:
                return False
            return all(
                lane.sound_steps >= goal and lane.steps >= _PROOF
                for lane, goal in zip(self._lanes, goals, strict=True)
            )

        return is_reached

    def _send(self, lanes: Iterable[int]) -> None:
        chosen = [self._lanes[index] for index in lanes]
        self._envs.send([lane.act() for lane in chosen], [lane.index for lane in chosen])

    def _take(
        self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: dict[str, Any]
    ) -> None:
        now = time.monotonic()
        for place, index in enumerate(infos["env_id"]):
            lane, fault = self._lanes[index], infos["fault"][place]
            told = Told(
                observations["echoed_message"][place],
                float(rewards[place]),
                bool(infos["reward_given"][place]),
                (bool(terminations[place]), bool(truncations[place])),
                json.loads(infos["metadata"][place]),
            )
            if fault:
                self.faults.append((int(index), fault))
                self.slowest_fault = max(self.slowest_fault, now - lane.sent_at)
            elif not lane.is_reset_due:
                self.slowest = max(self.slowest, now - lane.sent_at)
            lane.check(told, fault)
        self._send(infos["env_id"])


class Told:
    """One lane's part of a batch."""

    def __init__(
        self, message: str, reward: float, is_given: bool, ends: tuple[bool, bool], metadata: dict[str, Any]
    ) -> None:
        self.message = message
        self.reward = reward
        self.is_given = is_given
        self.ends = ends
        self.metadata = metadata


class _Lane:
    def __init__(self, index: int) -> None:
        self.index = index
        self.steps = 0  # of this episode
        self.sound_steps = 0
        self.is_reset_due = False
        self.sent_at = 0.0
        self._shown = _GREETING
        self._message = ""

    def act(self) -> EchoAction:
        self._message = f"{self.index}: {'x' * (self.sound_steps % 7)}"
        self.sent_at = time.monotonic()
        return EchoAction(message=self._message)

    def check(self, told: Told, fault: str) -> None:
        """A fault ends the episode and says so; all else is exactly what the environment did."""
        if fault:
            assert not self.is_reset_due, f"lane {self.index}'s reset failed: {fault}"
            assert (told.reward, told.is_given, told.ends) == (0.0, False, (False, True))
            assert told.message == self._shown, "the last valid observation"
            self.is_reset_due = True
            return
        assert told.ends == (False, False)
        if self.is_reset_due:
            assert (told.message, told.reward) == (_GREETING, 0.0)
            self.steps, self.is_reset_due = 0, False
        else:
            self.steps += 1
            self.sound_steps += 1
            assert (told.message, told.reward, told.is_given) == (
                self._message,
                len(self._message) / 10,
                True,
            )
            assert told.metadata["step"] == self.steps, "no step is lost, and none is taken twice"
        self._shown = told.message
