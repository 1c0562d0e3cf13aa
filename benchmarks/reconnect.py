"""How long a cut connection takes to mend: from the cut to the last answer of all sessions that step.

Usage: .venv-interop/bin/python benchmarks/reconnect.py [--sessions 256] [--rounds 5] [--json FILE]

Echo sessions step together through a proxy, which holds their requests or the replies to them back, and then
cuts the connection: so either no request reached the server, or every step was taken and no reply came. Every
reply is checked: each session's steps are counted by its environment, and none may be lost or repeated. For
comparison: an undisturbed step of all, and OpenEnv's clients, whose sessions are gone with their connections:
for them, connecting again and resetting all is measured, which begins new episodes. OpenEnv comes from
`make .venv-interop/.ready`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from typing import Any

from background_loop import background_loop
from contenders import ECHO
from cutting_proxy import CuttingProxy, cutting_proxy
from local_servers import on_uvicorn, ours, running
from measuring import alternate, describe, machine, spread, table, write_json

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.providers.endpoint import Endpoint


class CountedLanes:
    """Lanes whose environments count their steps, which are compared with the steps that were asked for.

    Args:
        envs: Echo sessions, just reset.
        proxy: What they are connected through.
    """

    def __init__(self, envs: RemoteVectorEnv, proxy: CuttingProxy) -> None:
        self._envs = envs
        self._proxy = proxy
        self._actions = [ECHO] * envs.num_envs
        self._steps = 0

    def undisturbed(self) -> float:
        """Step once; returns the seconds it took."""
        began = time.perf_counter()
        self._envs.step_async(self._actions)
        return self._finish(began)

    def cut(self, hold: Callable[[], None]) -> float:
        """Step once through a cut; returns the seconds from the cut on.

        Args:
            hold: Has the proxy hold requests or replies back.
        """
        hold()
        self._envs.step_async(self._actions)
        while not self._held_all():
            time.sleep(0.001)
        began = time.perf_counter()
        self._proxy.cut()
        return self._finish(began)

    def _held_all(self) -> bool:
        return self._proxy.bytes_held() >= 50 * self._envs.num_envs  # a session's id alone is 32

    def _finish(self, began: float) -> float:
        infos = self._envs.step_wait()[4]
        elapsed = time.perf_counter() - began
        self._steps += 1
        counts = {json.loads(metadata)["step"] for metadata in infos["metadata"]}
        if counts != {self._steps}:
            raise AssertionError(f"after {self._steps} steps the environments count {counts}")
        return elapsed


@contextmanager
def counted_lanes(endpoint: Endpoint, proxy: CuttingProxy, sessions: int) -> Iterator[CountedLanes]:
    """Open lanes through a proxy."""
    with RemoteVectorEnv(proxy.base_url, token=endpoint.token, num_envs=sessions, on_fault="raise") as envs:
        envs.reset(seed=1)
        yield CountedLanes(envs, proxy)


@contextmanager
def upstream_anew(endpoint: Endpoint, sessions: int) -> Iterator[Callable[[], float]]:
    """OpenEnv's asynchronous clients connect, reset and step, all at once, as after a cut."""
    from openenv.core.generic_client import GenericEnvClient as UpstreamClient  # takes seconds

    async def begin(stack: AsyncExitStack) -> None:
        client = await stack.enter_async_context(UpstreamClient(endpoint.base_url))
        await client.reset()
        await client.step(ECHO)

    async def measure() -> float:
        async with AsyncExitStack() as stack:
            began = time.perf_counter()
            await asyncio.gather(*(begin(stack) for _ in range(sessions)))
            return time.perf_counter() - began

    with background_loop() as run:
        yield lambda: run(measure())


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--sessions", type=int, default=256, metavar="N")
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = command.parse_args()
    facts = machine()
    commands = {"ours": ours("echo_env.server.app:app"), "upstream": on_uvicorn("upstream_echo:app")}
    with ExitStack() as stack:
        servers = stack.enter_context(running(commands))
        proxy = stack.enter_context(cutting_proxy(servers["ours"].base_url))
        lanes = stack.enter_context(counted_lanes(servers["ours"], proxy, options.sessions))
        seconds = alternate(
            {
                "undisturbed step": lanes.undisturbed,
                "step, its requests cut off": partial(lanes.cut, proxy.hold_requests),
                "step, its replies cut off": partial(lanes.cut, proxy.hold_replies),
                "OpenEnv: new connections and episodes": stack.enter_context(
                    upstream_anew(servers["upstream"], options.sessions)
                ),
            },
            options.rounds,
        )
    report(facts, seconds, options.sessions)
    write_json(options.json, facts, {"sessions": options.sessions, "seconds": seconds})


def report(facts: dict[str, Any], seconds: dict[str, list[float]], sessions: int) -> None:
    """Print the times."""
    print(describe(facts), "\n")
    print(f"Milliseconds until all of {sessions} sessions are answered, median (min-max) over the rounds:\n")
    rows = [[name, spread([1e3 * value for value in values], ",.1f")] for name, values in seconds.items()]
    print(table(["", "ms"], rows))


if __name__ == "__main__":
    main()
