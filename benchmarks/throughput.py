"""Steps a second of many Echo sessions stepped together, beside OpenEnv, Gymnasium and the bare socket.

Usage: .venv-interop/bin/python benchmarks/throughput.py [--sessions 1 16 64 256] [--rounds 3]
       [--seconds 0.25] [--json FILE]

Closed loop: the next step of all starts when the last reply to the one before is there. Servers and clients
share this machine. OpenEnv comes from `make .venv-interop/.ready`.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from contenders import (
    bare_sockets,
    gymnasium_processes,
    our_clients,
    remote_vector_env,
    upstream_clients,
)
from echo_servers import echo_servers
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json

OURS = "RemoteVectorEnv, our server"
OURS_OPENENV = "the same in OpenEnv's dialect"
UPSTREAM = "OpenEnv's clients, OpenEnv's server"
CROSS_CLIENT = "RemoteVectorEnv, OpenEnv's server"
CROSS_CLIENTS = "our clients, OpenEnv's server"
CROSS_SERVER = "OpenEnv's clients, our server"
LOCAL = "Gymnasium's AsyncVectorEnv, local"
BARE = "bare WebSockets"

COMPARISONS = [
    ("ours / OpenEnv", OURS, UPSTREAM),
    ("ours in its dialect / OpenEnv", OURS_OPENENV, UPSTREAM),
    ("RemoteVectorEnv / its clients, on its server", CROSS_CLIENT, UPSTREAM),
    ("our clients / its clients, on its server", CROSS_CLIENTS, UPSTREAM),
    ("our server / OpenEnv's, for its clients", CROSS_SERVER, UPSTREAM),
    ("ours / local AsyncVectorEnv", OURS, LOCAL),
    ("ours / bare WebSockets", OURS, BARE),
]


def main() -> None:
    """Measure, print two tables, write JSON if asked."""
    command = parser(__doc__, rounds=3, seconds=0.25)
    command.add_argument("--sessions", type=int, nargs="+", default=[1, 16, 64, 256], metavar="N")
    options = command.parse_args()
    facts = machine()
    figures: dict[int, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        local = {n: stack.enter_context(gymnasium_processes(n)) for n in options.sessions}
        servers = stack.enter_context(echo_servers())
        for sessions in options.sessions:
            with ExitStack() as opened:
                ways = {
                    OURS: remote_vector_env(servers.ours, sessions),
                    OURS_OPENENV: remote_vector_env(servers.ours, sessions, "openenv"),
                    UPSTREAM: upstream_clients(servers.upstream, sessions),
                    CROSS_CLIENT: remote_vector_env(servers.upstream, sessions),
                    CROSS_CLIENTS: our_clients(servers.upstream, sessions),
                    CROSS_SERVER: upstream_clients(servers.ours, sessions),
                    BARE: bare_sockets(servers.bare, sessions),
                }
                measures = {name: opened.enter_context(way) for name, way in ways.items()}
                measures[LOCAL] = local[sessions]
                timed = {name: partial(measure, options.seconds) for name, measure in measures.items()}
                figures[sessions] = alternate(timed, options.rounds)
    report(facts, figures)
    write_json(options.json, facts, {"steps_per_second": figures})


def report(facts: dict[str, Any], figures: dict[int, dict[str, list[float]]]) -> None:
    """Print the figures, and the ratios taken round by round."""
    columns = [f"{sessions} sessions" for sessions in figures]
    print(describe(facts), "\n")
    print("Steps a second, median (min-max) over the rounds:\n")
    names = next(iter(figures.values()))
    print(table(["", *columns], [[name, *(spread(f[name]) for f in figures.values())] for name in names]))
    print("\nRatios, round by round:\n")
    rows = [
        [name, *(spread(ratios(f[one], f[other]), ".2f") for f in figures.values())]
        for name, one, other in COMPARISONS
    ]
    print(table(["", *columns], rows))


if __name__ == "__main__":
    main()
