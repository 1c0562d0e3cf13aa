"""A client that opens many Echo sessions, steps each once and holds them: `memory.py` looks at its peer.

Usage: python session_holder.py ours|openenv URL SESSIONS    (the token in SESSION_HOLDER_TOKEN)

Opens a quarter as many sessions to begin with, prints a line and waits for one; then opens so many, prints
by how many bytes this process has grown meanwhile, and holds them all until its standard input ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

from background_loop import background_loop
from process_memory import memory_of

Hold = Callable[[int], None]
ACTION = {"message": "Hello, World!"}


@contextmanager
def lanes(url: str, token: str) -> Iterator[Hold]:
    """Hold sessions as lanes of `RemoteVectorEnv`."""
    from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv

    with ExitStack() as stack:

        def hold(count: int) -> None:
            envs = stack.enter_context(RemoteVectorEnv(url, token=token, num_envs=count))
            envs.reset(seed=1)
            envs.step([ACTION] * count)

        yield hold


@contextmanager
def upstream_clients(url: str, token: str) -> Iterator[Hold]:
    """Hold sessions as OpenEnv's asynchronous clients."""
    from openenv.core.generic_client import GenericEnvClient

    async def open_one(stack: AsyncExitStack) -> None:
        client = await stack.enter_async_context(GenericEnvClient(url))
        await client.reset()
        await client.step(ACTION)

    async def open_all(stack: AsyncExitStack, count: int) -> None:
        for _ in range(count):
            await open_one(stack)

    with background_loop() as run:
        stack = AsyncExitStack()
        yield lambda count: run(open_all(stack, count))
        run(stack.aclose())


def main() -> None:
    """Hold sessions; see the module."""
    kind, url, count = sys.argv[1:]
    ways = {"ours": lanes, "openenv": upstream_clients}
    with ways[kind](url, os.environ["SESSION_HOLDER_TOKEN"]) as hold:
        hold(max(1, int(count) // 4))
        before = memory_of(os.getpid())
        print("ready", flush=True)
        sys.stdin.readline()
        hold(int(count))
        print(memory_of(os.getpid()) - before, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
