"""An environment whose observations depend on all calls before, and which keeps a ledger of them.

A call that is lost, repeated, or handed to another session changes every later digest. The ledger, a file a
session with one byte a call, survives the server, so that what ran can be counted after a SIGKILL.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

from fastapi import FastAPI

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app

LEDGERS = "CHAIN_LEDGERS"  # names the directory


class Pull(Action):
    """One pull at the chain: a token, after a nap of some seconds."""

    token: int
    nap: float = 0.0
    ballast: int = 0


class Links(Observation):
    """Where the chain ends.

    Attributes:
        digest: Of all calls since the session began.
        calls: How many they were.
        seed: Of the last reset.
        ballast: As long as was asked for.
    """

    digest: str = ""
    calls: int = 0
    seed: int = 0
    ballast: str = ""


class Chain(Environment[Pull, Links, State]):
    """Episodes end by themselves, about every twentieth step."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._digest = b""
        self._calls = 0
        self._seed = 0
        self._endless = False
        self._ledger: Path | None = None

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, name: str = "", endless: bool = False
    ) -> Links:
        self._seed = seed or 0
        self._endless = endless
        self._ledger = Path(os.environ[LEDGERS], name) if name else None
        return self._add(b"reset", self._seed)

    def step(self, action: Pull, timeout_s: float | None = None) -> Links:
        if action.nap:
            time.sleep(action.nap)
        return self._pull(action)

    def _pull(self, action: Pull) -> Links:
        links = self._add(b"step", action.token)
        links.ballast = "x" * action.ballast
        links.reward = int(links.digest[:4], 16) / 65536
        links.done = not self._endless and int(links.digest[-4:], 16) < 65536 / 20
        return links

    def _add(self, call: bytes, number: int) -> Links:
        self._calls += 1
        self._digest = hashlib.sha256(self._digest + call + str(number).encode()).digest()
        if self._ledger is not None:
            with self._ledger.open("ab", buffering=0) as ledger:
                ledger.write(call[:1])
        return Links(digest=self._digest.hex(), calls=self._calls, seed=self._seed)

    @property
    def state(self) -> State:
        return State(step_count=self._calls)


class InlineChain(Chain):
    EXECUTION = "inline"


class ThreadChain(Chain):
    EXECUTION = "thread"


class ProcessChain(Chain):
    EXECUTION = "process"


class AsyncChain(Chain):
    async def step_async(self, action: Pull, timeout_s: float | None = None) -> Links:
        await asyncio.sleep(action.nap)
        return self._pull(action)


def inline() -> FastAPI:
    return create_app(InlineChain, Pull, Links, env_name="chain")


def thread() -> FastAPI:
    return create_app(ThreadChain, Pull, Links, env_name="chain")


def process() -> FastAPI:
    return create_app(ProcessChain, Pull, Links, env_name="chain")


def asynchronous() -> FastAPI:
    return create_app(AsyncChain, Pull, Links, env_name="chain")
