"""How busy lanes are kept when a few steps take very long: `recv(min_envs=4)` beside lockstep and OpenEnv.

Usage: .venv-interop/bin/python benchmarks/partial_receive.py [--lanes 64] [--min-envs 4] [--rounds 3]
       [--seconds 2] [--json FILE]

Step times are log-normal, median 10 ms and sigma 1.5, so the mean is 31 ms and one step in a thousand takes
a second; the environment waits on its event loop. The ideal is that every lane always works: `lanes` divided
by the mean step time. What is measured is the share of it: the time that steps took, divided by the time from
a lane's first request to its last reply, over all lanes. It is given twice: by what steps took on the
environment's clock, and by what they were to take, for event loops wake up to a millisecond late. OpenEnv's
clients step each in its own task, which is the best that can be done with them. OpenEnv comes from `make
.venv-interop/.ready`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from background_loop import background_loop
from heavy_tail import MEAN, share_at_no_cost
from local_servers import on_uvicorn, ours, running
from measuring import alternate, describe, machine, parser, spread, table, write_json
from numpy.typing import NDArray

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.providers.endpoint import Endpoint


class Share(NamedTuple):
    """A share of the ideal: the time that lanes worked of the time that they could have.

    Attributes:
        taken: By the environments' clock.
        planned: By what their steps were to take.
    """

    taken: float
    planned: float


Measure = Callable[[float], Share]
"""Takes the seconds to measure for."""


@contextmanager
def vector_env(endpoint: Endpoint, lanes: int) -> Iterator[RemoteVectorEnv]:
    """Open lanes, which `lockstep` and `partial_receive` share in turn."""
    with RemoteVectorEnv(endpoint.base_url, token=endpoint.token, num_envs=lanes) as envs:
        envs.reset(seed=1)
        yield envs


def lockstep(envs: RemoteVectorEnv, seconds: float) -> Share:
    """Step all lanes together."""
    actions: list[dict[str, Any]] = [{}] * envs.num_envs
    worked, began = np.zeros(2), time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        worked += _work(envs.step(actions)[0])
    return Share(*worked / (elapsed * envs.num_envs))


def partial_receive(envs: RemoteVectorEnv, min_envs: int, seconds: float) -> Share:
    """Send a lane's next step as soon as its last one was handed out."""
    worked, last_reply = np.zeros(2), np.zeros(envs.num_envs)
    began = time.perf_counter()
    envs.send([{}] * envs.num_envs, range(envs.num_envs))
    in_flight = envs.num_envs
    while in_flight:
        observations, _, _, _, infos = envs.recv(min(min_envs, in_flight))
        ready = infos["env_id"]
        now = time.perf_counter() - began
        if now < seconds:
            envs.send([{}] * len(ready), ready)
        else:
            in_flight -= len(ready)
        worked += _work(observations)
        last_reply[ready] = now
    return Share(*worked / last_reply.sum())


def _work(observations: dict[str, Any]) -> NDArray[np.float64]:
    return np.array([observations["taken"].sum(), observations["planned"].sum()])


@contextmanager
def upstream_tasks(endpoint: Endpoint, lanes: int) -> Iterator[Measure]:
    """OpenEnv's own asynchronous clients, each stepping in a task of its own."""
    from openenv.core.generic_client import GenericEnvClient as UpstreamClient  # takes seconds

    async def opened(stack: AsyncExitStack) -> list[Any]:
        made = [UpstreamClient(endpoint.base_url) for _ in range(lanes)]
        clients = [await stack.enter_async_context(client) for client in made]
        for seed, client in enumerate(clients):
            await client.reset(seed=1 + seed)
        return clients

    async def drive(client: Any, seconds: float) -> NDArray[np.float64]:
        taken = planned = 0.0
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            observation = (await client.step({})).observation
            taken += observation["taken"]
            planned += observation["planned"]
        return np.array([taken, planned, elapsed])

    async def measure(clients: list[Any], seconds: float) -> Share:
        times = sum(await asyncio.gather(*(drive(client, seconds) for client in clients)))
        return Share(*times[:2] / times[2])

    with background_loop() as run:
        sockets = AsyncExitStack()
        try:
            clients = run(opened(sockets))
            yield lambda seconds: run(measure(clients, seconds))
        finally:
            run(sockets.aclose())


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=3, seconds=2.0)
    command.add_argument("--lanes", type=int, default=64, metavar="N")
    command.add_argument("--min-envs", type=int, default=4, metavar="N")
    options = command.parse_args()
    facts = machine()
    commands = {"ours": ours("heavy_tail_server:app"), "upstream": on_uvicorn("upstream_heavy_tail:app")}
    with ExitStack() as stack:
        servers = stack.enter_context(running(commands))
        envs = stack.enter_context(vector_env(servers["ours"], options.lanes))
        tasks = stack.enter_context(upstream_tasks(servers["upstream"], options.lanes))
        shares = alternate(
            {
                f"recv(min_envs={options.min_envs})": lambda: partial_receive(
                    envs, options.min_envs, options.seconds
                ),
                "recv(min_envs=1)": lambda: partial_receive(envs, 1, options.seconds),
                "step(), in lockstep": lambda: lockstep(envs, options.seconds),
                "OpenEnv's clients, a task each": partial(tasks, options.seconds),
            },
            options.rounds,
        )
    report(facts, shares, options.lanes, options.min_envs)
    write_json(options.json, facts, {"lanes": options.lanes, "share_of_ideal": shares})


def report(facts: dict[str, Any], shares: dict[str, list[Share]], lanes: int, min_envs: int) -> None:
    """Print shares of the ideal, and what they mean in steps a second."""
    print(describe(facts), "\n")
    ideal = lanes / MEAN
    print(f"{lanes} lanes; the ideal is {ideal:,.0f} steps/s. Median (min-max) over the rounds:\n")
    rows = [
        [
            name,
            spread([100 * share.taken for share in values], ".1f"),
            spread([100 * share.planned for share in values], ".1f"),
            spread([ideal * share.planned for share in values]),
        ]
        for name, values in shares.items()
    ]
    print(table(["", "% of the ideal", "by plan", "steps/s"], rows))
    bound = 100 * share_at_no_cost(lanes, min_envs)
    print(f"\nIf nothing but the steps took time, min_envs={min_envs} would reach {bound:.1f} % (simulated).")


if __name__ == "__main__":
    main()
