"""Users of the chain: each drives some sessions in its own way until told to stop, and keeps transcripts.

Actions are drawn from the seed, the lane and the call, so that the same user does the same again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from openenv_gym import RemoteEnv, RemoteVectorEnv
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.errors import OpenEnvGymError, ServerUnreachableError
from openenv_gym.wire.messages import Op
from tests.faults.chain import Pull
from tests.faults.transcript import Transcript

Stop = Callable[[], bool]
Player = Callable[[str, list[Transcript], int, Stop], None]

STEP_TIMEOUT = 60.0  # seconds; only what is broken takes them
OUTAGE_TIMEOUT = 10.0  # seconds; a quarter of it is how soon silence is noticed
NAPS = (0.0, 0.0, 0.0, 0.002, 0.02)  # seconds


class _Actions:
    """Draws a lane's actions."""

    def __init__(self, seed: int, name: str) -> None:
        self._rng = random.Random(f"{seed}/{name}")

    def draw(self) -> Pull:
        return Pull(token=self._rng.randrange(2**31), nap=self._rng.choice(NAPS))


def lockstep(base_url: str, transcripts: list[Transcript], seed: int, stop: Stop) -> None:
    """Step a vector environment, all lanes together."""
    lanes = _Lanes(transcripts, seed)
    with _vector_env(base_url, lanes) as envs:
        observations, infos = envs.reset(seed=seed)
        everywhere = range(len(transcripts))
        lanes.reset = [True] * len(transcripts)
        lanes.record(everywhere, observations, np.zeros(envs.num_envs), np.zeros(envs.num_envs), infos)
        while not stop():
            batch = envs.step([lanes.act(lane) for lane in everywhere])
            lanes.record(everywhere, batch[0], batch[1], batch[2] | batch[3], batch[4])


def as_they_come(base_url: str, transcripts: list[Transcript], seed: int, stop: Stop) -> None:
    """Send to each lane as soon as it is received."""
    lanes = _Lanes(transcripts, seed)
    with _vector_env(base_url, lanes) as envs:
        envs.send_reset(seed=seed)
        lanes.reset = [True] * len(transcripts)
        running = len(transcripts)
        while running:
            observations, rewards, terminations, truncations, infos = envs.recv(min_envs=1, timeout=None)
            ready = infos["env_id"].tolist()
            lanes.record(ready, observations, rewards, terminations | truncations, infos)
            if stop():
                running -= len(ready)
            else:
                envs.send([lanes.act(lane) for lane in ready], ready)


def _vector_env(base_url: str, lanes: _Lanes) -> RemoteVectorEnv:
    return RemoteVectorEnv(
        base_url,
        num_envs=len(lanes.transcripts),
        task_sampler=lambda lane, _: {"name": lanes.transcripts[lane].name},
        step_timeout=STEP_TIMEOUT,
        outage_timeout=OUTAGE_TIMEOUT,
    )


class _Lanes:
    """What the lanes of a vector environment were asked and told, under NEXT_STEP."""

    def __init__(self, transcripts: list[Transcript], seed: int) -> None:
        self.transcripts = transcripts
        self.reset = [False] * len(transcripts)  # whether the lane's next call is a reset
        self._actions = [_Actions(seed, transcript.name) for transcript in transcripts]
        self._tokens = [0] * len(transcripts)

    def act(self, lane: int) -> Pull:
        action = self._actions[lane].draw()
        self._tokens[lane] = action.token
        return action

    def record(self, lanes: Any, observations: Any, rewards: Any, ends: Any, infos: dict[str, Any]) -> None:
        for row, lane in enumerate(lanes):
            transcript = self.transcripts[lane]
            if infos["fault"][row]:
                transcript.report(infos["fault"][row])
            else:
                seen = {"digest": observations["digest"][row], "calls": observations["calls"][row]}
                if self.reset[lane]:
                    transcript.tell(Op.RESET, int(observations["seed"][row]), seen, 0.0, False)
                else:
                    transcript.tell(Op.STEP, self._tokens[lane], seen, rewards[row], ends[row])
            self.reset[lane] = bool(ends[row])


def alone(base_url: str, transcripts: list[Transcript], seed: int, stop: Stop) -> None:
    """Step one plain environment, from the calling thread."""
    (transcript,) = transcripts
    actions = _Actions(seed, transcript.name)
    done = True
    with RemoteEnv(base_url, step_timeout=STEP_TIMEOUT, outage_timeout=OUTAGE_TIMEOUT) as env:
        while not stop():
            try:
                if done:
                    observation, _ = env.reset(seed=seed, options={"name": transcript.name})
                    transcript.tell(Op.RESET, seed, observation, 0.0, False)
                    done = False
                else:
                    action = actions.draw()
                    observation, reward, done, _, _ = env.step(action)
                    transcript.tell(Op.STEP, action.token, observation, reward, done)
            except OpenEnvGymError as error:
                transcript.report(error)
                done = True


def clients(base_url: str, transcripts: list[Transcript], seed: int, stop: Stop) -> None:
    """Drive one client and its further sessions, each from a coroutine of its own."""

    async def play() -> None:
        first = GenericEnvClient(
            base_url,
            message_timeout_s=STEP_TIMEOUT,
            outage_timeout_s=OUTAGE_TIMEOUT,
            connect_timeout_s=30.0,
            headers={"X-Player": transcripts[0].name},  # clients that connect alike would share a connection
        )
        await _insist(first.connect)
        async with first:
            others = [await _insist(first.new_session) for _ in transcripts[1:]]
            await asyncio.gather(
                *(
                    _roll_out(client, transcript, seed, stop)
                    for client, transcript in zip([first, *others], transcripts, strict=True)
                )
            )

    asyncio.run(play())


async def _insist(connect: Callable[[], Awaitable[GenericEnvClient]]) -> GenericEnvClient:
    """Connect again if it comes to nothing: the first connection is nobody's but the user's to repeat."""
    while True:
        with contextlib.suppress(ServerUnreachableError):
            return await connect()


async def _roll_out(client: GenericEnvClient, transcript: Transcript, seed: int, stop: Stop) -> None:
    actions = _Actions(seed, transcript.name)
    done = True
    while not stop():
        try:
            if done:
                result = await client.reset(seed=seed, name=transcript.name)
                transcript.tell(Op.RESET, seed, result.observation, 0.0, False)
                done = False
            else:
                action = actions.draw()
                result = await client.step(action)
                transcript.tell(Op.STEP, action.token, result.observation, result.reward or 0.0, result.done)
                done = result.done
        except OpenEnvGymError as error:
            transcript.report(error)
            done = True
            await asyncio.sleep(0.05)
