"""The time of one synchronous step on one Echo session, beside OpenEnv's client and a bare WebSocket.

Usage: .venv-interop/bin/python benchmarks/latency.py [--rounds 5] [--seconds 0.5] [--json FILE]

Servers and clients share this machine. OpenEnv comes from `make .venv-interop/.ready`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from contenders import ECHO, ECHO_FRAME
from echo_servers import EchoServers, echo_servers
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json
from websockets.sync.client import connect

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.client.generic_client import GenericEnvClient

ENV = "RemoteEnv, our server"
CLIENT = "our SyncEnvClient, our server"
UPSTREAM = "OpenEnv's sync client, OpenEnv's server"
CROSS_CLIENT = "our SyncEnvClient, OpenEnv's server"
CROSS_SERVER = "OpenEnv's sync client, our server"
BARE = "bare WebSocket, blocking"

COMPARISONS = [
    ("RemoteEnv / OpenEnv", UPSTREAM, ENV),
    ("SyncEnvClient / OpenEnv", UPSTREAM, CLIENT),
    ("our client / OpenEnv's, on its server", UPSTREAM, CROSS_CLIENT),
    ("our server / OpenEnv's, for its client", UPSTREAM, CROSS_SERVER),
    ("RemoteEnv / bare WebSocket", BARE, ENV),
]


def main() -> None:
    """Measure, print two tables, write JSON if asked."""
    options = parser(__doc__, rounds=5, seconds=0.5).parse_args()
    facts = machine()
    with ExitStack() as stack:
        steps = open_sessions(stack, stack.enter_context(echo_servers()))
        medians = {name: partial(median_time, step, options.seconds) for name, step in steps.items()}
        figures = alternate(medians, options.rounds)
    report(facts, figures)
    write_json(options.json, facts, {"seconds_per_step": figures})


def open_sessions(stack: ExitStack, servers: EchoServers) -> dict[str, Callable[[], object]]:
    """Open one session a contender and return how each takes a step."""
    from openenv.core.generic_client import GenericEnvClient as UpstreamClient  # takes seconds

    env = RemoteEnv(servers.ours.base_url, token=servers.ours.token)
    stack.callback(env.close)
    env.reset(seed=1)
    steps: dict[str, Callable[[], object]] = {ENV: partial(env.step, ECHO)}

    headers = {"Authorization": f"Bearer {servers.ours.token}"}
    clients: dict[str, Any] = {
        CLIENT: GenericEnvClient(servers.ours.base_url, token=servers.ours.token),
        CROSS_CLIENT: GenericEnvClient(servers.upstream.base_url),
        UPSTREAM: UpstreamClient(servers.upstream.base_url),
        CROSS_SERVER: UpstreamClient(servers.ours.base_url, headers=headers),
    }
    for name, client in clients.items():
        session = stack.enter_context(client.sync())
        session.reset()
        steps[name] = partial(session.step, ECHO)

    url = servers.bare.base_url.replace("http", "ws", 1)
    socket = stack.enter_context(connect(url, compression=None, proxy=None))

    def exchange() -> None:
        socket.send(ECHO_FRAME)
        socket.recv()

    return {**steps, BARE: exchange}


def median_time(step: Callable[[], object], seconds: float) -> float:
    """Step for some seconds; returns the median step's time in seconds."""
    times = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def report(facts: dict[str, Any], figures: dict[str, list[float]]) -> None:
    """Print the times, and the ratios taken round by round."""
    print(describe(facts), "\n")
    print("Microseconds of the median step, median (min-max) over the rounds:\n")
    rows = [[name, spread([1e6 * value for value in values])] for name, values in figures.items()]
    print(table(["", "µs"], rows))
    print("\nTimes as fast, round by round:\n")
    compared = [[name, spread(ratios(figures[a], figures[b]), ".2f")] for name, a, b in COMPARISONS]
    print(table(["", "times"], compared))


if __name__ == "__main__":
    main()
