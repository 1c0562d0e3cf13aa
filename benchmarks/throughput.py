"""Steps a second of many Echo sessions stepped together, beside OpenEnv, Gymnasium and two limits.

Usage: .venv-interop/bin/python benchmarks/throughput.py [--sessions 1 16 64 256] [--rounds 3]
       [--seconds 0.25] [--long] [--json FILE]

Closed loop: the next step of all starts when the last reply to the one before is there. Servers and clients
share this machine, and so the processor time that each of them takes says more than the clock. The long form
has 1,024 sessions too, which OpenEnv takes a while to open. OpenEnv comes from `make .venv-interop/.ready`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from contenders import (
    Measure,
    bare_sockets,
    gymnasium_processes,
    loop_limit,
    our_clients,
    remote_vector_env,
    upstream_clients,
)
from echo_servers import EchoServers, echo_servers
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json
from server_process import ServerProcess

from openenv_gym.providers.endpoint import Endpoint

OURS = "RemoteVectorEnv, our server"
OURS_OPENENV = "the same in OpenEnv's dialect"
UPSTREAM = "OpenEnv's clients, OpenEnv's server"
CROSS_CLIENT = "RemoteVectorEnv, OpenEnv's server"
CROSS_CLIENTS = "our clients, OpenEnv's server"
CROSS_SERVER = "OpenEnv's clients, our server"
LOCAL = "Gymnasium's AsyncVectorEnv, local"
LIMIT = "a bare loop on one WebSocket"
BARE = "bare WebSockets"

COMPARISONS = [
    ("ours / OpenEnv", OURS, UPSTREAM),
    ("ours in its dialect / OpenEnv", OURS_OPENENV, UPSTREAM),
    ("RemoteVectorEnv / its clients, on its server", CROSS_CLIENT, UPSTREAM),
    ("our clients / its clients, on its server", CROSS_CLIENTS, UPSTREAM),
    ("our server / OpenEnv's, for its clients", CROSS_SERVER, UPSTREAM),
    ("ours / local AsyncVectorEnv", OURS, LOCAL),
    ("ours / the bare loop", OURS, LIMIT),
    ("ours / bare WebSockets", OURS, BARE),
]

MOST_LOCAL = 256  # sessions of AsyncVectorEnv, each of which is a process
MOST_MIXED = (
    256  # sessions of the pairings and the dialect, each of which is a connection; beyond, only the curve
)


class Sample(NamedTuple):
    """One contender in one round.

    Attributes:
        rate: Steps a second.
        client: Processor seconds a step of this process.
        server: The same of the server's process; ``None`` where there is not one.
    """

    rate: float
    client: float
    server: float | None


Figures = dict[int, dict[str, list[Sample]]]


def main() -> None:
    """Measure, print three tables, write JSON if asked."""
    command = parser(__doc__, rounds=3, seconds=0.25)
    command.add_argument("--sessions", type=int, nargs="+", default=[1, 16, 64, 256], metavar="N")
    command.add_argument("--long", action="store_true", help="1,024 sessions too, 5 rounds of a second")
    options = command.parse_args()
    if options.long:
        options.sessions, options.rounds, options.seconds = [1, 16, 64, 256, 1024], 5, 1.0
    facts = machine()
    figures: Figures = {}
    with ExitStack() as stack:
        local = {n: stack.enter_context(gymnasium_processes(n)) for n in options.sessions if n <= MOST_LOCAL}
        servers = stack.enter_context(echo_servers())
        for sessions in options.sessions:
            with ExitStack() as opened:
                contenders = open_contenders(opened, servers, sessions, options.seconds)
                if sessions in local:
                    contenders[LOCAL] = partial(sample, local[sessions], options.seconds, None)
                figures[sessions] = alternate(contenders, options.rounds)
    report(facts, figures)
    write_json(options.json, facts, {"samples": as_json(figures)})


def open_contenders(
    stack: ExitStack, servers: EchoServers, sessions: int, seconds: float
) -> dict[str, Callable[[], Sample]]:
    """Open each contender's sessions; returns how each is measured."""
    ways: dict[str, tuple[Callable[..., Any], Endpoint]] = {
        OURS: (remote_vector_env, servers.ours),
        UPSTREAM: (upstream_clients, servers.upstream),
        LIMIT: (loop_limit, servers.limit),
        BARE: (bare_sockets, servers.bare),
    }
    if sessions <= MOST_MIXED:
        ways |= {
            OURS_OPENENV: (partial(remote_vector_env, dialect="openenv"), servers.ours),
            CROSS_CLIENT: (remote_vector_env, servers.upstream),
            CROSS_CLIENTS: (our_clients, servers.upstream),
            CROSS_SERVER: (upstream_clients, servers.ours),
        }
    return {
        name: partial(sample, stack.enter_context(way(server, sessions)), seconds, ServerProcess(server))
        for name, (way, server) in ways.items()
    }


def sample(measure: Measure, seconds: float, server: ServerProcess | None) -> Sample:
    """Measure for some seconds."""
    began, client = time.perf_counter(), time.process_time()
    before = server.cpu_seconds() if server is not None else 0.0
    rate = measure(seconds)
    steps = rate * (time.perf_counter() - began)  # those of the first, untimed call are among them
    spent = server.cpu_seconds() - before if server is not None else None
    return Sample(rate, (time.process_time() - client) / steps, None if spent is None else spent / steps)


def report(facts: dict[str, Any], figures: Figures) -> None:
    """Print the figures, and the ratios taken round by round."""
    header = ["", *(f"{sessions} sessions" for sessions in figures)]
    names = list(dict.fromkeys(name for by_name in figures.values() for name in by_name))
    print(describe(facts), "\n")
    print("Steps a second, median (min-max) over the rounds:\n")
    print(
        table(header, [[name, *(cell(f, spread_of_rates, name) for f in figures.values())] for name in names])
    )
    print("\nRatios, round by round:\n")
    compared = [
        [title, *(cell(f, spread_of_ratios, one, other) for f in figures.values())]
        for title, one, other in COMPARISONS
    ]
    print(table(header, compared))
    print("\nProcessor microseconds a step, client + server, medians:\n")
    print(
        table(header, [[name, *(cell(f, processor_time, name) for f in figures.values())] for name in names])
    )


def cell(by_name: dict[str, list[Sample]], write: Callable[..., str], *names: str) -> str:
    """Write one cell of a table, empty where a contender was not measured."""
    return write(*(by_name[name] for name in names)) if all(name in by_name for name in names) else ""


def spread_of_rates(samples: list[Sample]) -> str:
    """Write the steps a second."""
    return spread([one.rate for one in samples])


def spread_of_ratios(samples: list[Sample], base: list[Sample]) -> str:
    """Write how many times as fast the first are as the second."""
    return spread(ratios([one.rate for one in samples], [one.rate for one in base]), ".2f")


def processor_time(samples: list[Sample]) -> str:
    """Write the microseconds of client and server."""
    client = statistics.median(one.client for one in samples)
    servers = [one.server for one in samples if one.server is not None]
    return f"{1e6 * client:.1f}" + (f" + {1e6 * statistics.median(servers):.1f}" if servers else "")


def as_json(figures: Figures) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Name the figures of each sample."""
    return {
        sessions: {name: [one._asdict() for one in samples] for name, samples in by_name.items()}
        for sessions, by_name in figures.items()
    }


if __name__ == "__main__":
    main()
