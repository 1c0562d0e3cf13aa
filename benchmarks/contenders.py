"""Ways to step many sessions at once, Echo's by default; each is opened first, and then measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import gymnasium
import msgspec
from background_loop import background_loop
from gymnasium.spaces import Box, Dict, Text
from gymnasium.vector import AsyncVectorEnv
from measuring import rate
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_blocking

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.providers.endpoint import Endpoint

Action = dict[str, Any]
MESSAGE = "Hello, World!"
ECHO: Action = {"message": MESSAGE}
ECHO_FRAME = f'{{"type":"step","data":{{"message":"{MESSAGE}"}}}}'

Measure = Callable[[float], float]
"""Takes the seconds to measure for, returns steps a second."""


@contextmanager
def remote_vector_env(
    endpoint: Endpoint, sessions: int, dialect: Dialect = "auto", action: Action = ECHO
) -> Iterator[Measure]:
    """`RemoteVectorEnv.step`: every reply checked against the schema and batched into arrays."""
    actions = [action] * sessions
    url, token = endpoint.base_url, endpoint.token
    with RemoteVectorEnv(url, token=token, num_envs=sessions, dialect=dialect) as envs:
        envs.reset(seed=1)
        yield lambda seconds: rate(lambda: envs.step(actions), seconds, sessions)


@contextmanager
def our_clients(endpoint: Endpoint, sessions: int, action: Action = ECHO) -> Iterator[Measure]:
    """Our asynchronous clients, as many as sessions, stepping together."""

    def make() -> GenericEnvClient:
        return GenericEnvClient(endpoint.base_url, token=endpoint.token)

    with _clients(make, sessions, action) as measure:
        yield measure


@contextmanager
def upstream_clients(endpoint: Endpoint, sessions: int, action: Action = ECHO) -> Iterator[Measure]:
    """OpenEnv's own asynchronous clients, as many as sessions, stepping together."""
    from openenv.core.generic_client import GenericEnvClient as UpstreamClient  # takes seconds

    headers = {"Authorization": f"Bearer {endpoint.token}"}
    with _clients(lambda: UpstreamClient(endpoint.base_url, headers=headers), sessions, action) as measure:
        yield measure


@contextmanager
def bare_sockets(endpoint: Endpoint, sessions: int, frame: str = ECHO_FRAME) -> Iterator[Measure]:
    """Bare WebSockets that send a request's bytes and get bytes back: nothing is encoded or checked."""

    async def opened(stack: AsyncExitStack) -> Callable[[], Awaitable[object]]:
        url = endpoint.base_url.replace("http", "ws", 1)
        connections = [connect(url, compression=None, proxy=None) for _ in range(sessions)]
        sockets = [await stack.enter_async_context(connection) for connection in connections]

        async def exchange(socket: Any) -> None:
            await socket.send(frame)
            await socket.recv()

        return lambda: asyncio.gather(*map(exchange, sockets))

    with _on_a_loop(opened, sessions) as measure:
        yield measure


@contextmanager
def loop_limit(endpoint: Endpoint, sessions: int, action: Action = ECHO) -> Iterator[Measure]:
    """Batches of steps as JSON on one WebSocket, and nothing else: see ``loop_limit.py``."""
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
    url = endpoint.base_url.replace("http", "ws", 1) + "/ws"
    with connect_blocking(url, compression=None, proxy=None) as socket:

        def step_all() -> None:
            socket.send(encode([(number, action) for number in range(sessions)]))
            assert len(decode(socket.recv())) == sessions

        yield lambda seconds: rate(step_all, seconds, sessions)


class LocalEcho(gymnasium.Env[Any, Any]):
    """The Echo environment as a plain Gymnasium environment."""

    action_space = Dict({"message": Text(1000)})
    observation_space = Dict({"echoed_message": Text(1000), "message_length": Box(0, 2**62, (), "int64")})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode."""
        super().reset(seed=seed)
        return {"echoed_message": "Echo environment ready!", "message_length": 0}, {}

    def step(self, action: Any) -> Any:
        """Echo one message."""
        message = action["message"]
        observation = {"echoed_message": message, "message_length": len(message)}
        return observation, len(message) / 10, False, False, {"original_message": message}


@contextmanager
def gymnasium_processes(sessions: int) -> Iterator[Measure]:
    """Gymnasium's own `AsyncVectorEnv`: a process a session on this machine, and no network.

    Forks, so it is opened before anything has started a thread.
    """
    envs = AsyncVectorEnv([LocalEcho] * sessions, shared_memory=False)
    try:
        envs.reset(seed=1)
        actions = {"message": (MESSAGE,) * sessions}
        yield lambda seconds: rate(lambda: envs.step(actions), seconds, sessions)
    finally:
        envs.close()


@contextmanager
def _clients(make: Callable[[], Any], sessions: int, action: Action) -> Iterator[Measure]:
    """Measure asynchronous clients, ours or OpenEnv's: they have the same methods."""

    async def opened(stack: AsyncExitStack) -> Callable[[], Awaitable[object]]:
        clients = [await stack.enter_async_context(make()) for _ in range(sessions)]
        for client in clients:
            await client.reset()

        async def step(client: Any) -> None:
            await client.step(action)  # OpenEnv's step() returns an awaitable that gather() does not take

        return lambda: asyncio.gather(*map(step, clients))

    with _on_a_loop(opened, sessions) as measure:
        yield measure


@contextmanager
def _on_a_loop(
    opened: Callable[[AsyncExitStack], Coroutine[Any, Any, Callable[[], Awaitable[object]]]], sessions: int
) -> Iterator[Measure]:
    """Measure coroutines on a loop of their own.

    Args:
        opened: Opens the sessions and returns what steps all of them.
        sessions: How many.
    """

    async def measure(step_all: Callable[[], Awaitable[object]], seconds: float) -> float:
        await step_all()
        rounds, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            await step_all()
            rounds += 1
        return rounds * sessions / elapsed

    with background_loop() as run:
        sockets = AsyncExitStack()
        try:
            step_all = run(opened(sockets))
            yield lambda seconds: run(measure(step_all, seconds))
        finally:
            run(sockets.aclose())
