"""Steps a second of one URL with one server process behind it, and with several (`serve --workers N`).

Usage: .venv/bin/python benchmarks/workers.py [--workers 1 2] [--sessions 256] [--rounds 5] [--seconds 0.5]
       [--json FILE]

Echo costs its server less than its client; the busy environment computes for about 2 ms a step. Servers and
client share this machine, and so its cores.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from contenders import ECHO, Action, remote_vector_env
from local_servers import ours, running
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json

ENVIRONMENTS: dict[str, tuple[str, Action]] = {
    "Echo": ("echo_env.server.app:app", ECHO),
    "2 ms of Python": ("busy_server:app", {}),
}


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=5, seconds=0.5)
    command.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    command.add_argument("--sessions", type=int, default=256)
    options = command.parse_args()
    facts = machine()
    figures: dict[str, dict[str, list[float]]] = {}
    for name, (app, action) in ENVIRONMENTS.items():
        servers = {str(n): (*ours(app), "--workers", str(n)) for n in options.workers}
        with ExitStack() as stack:
            endpoints = stack.enter_context(running(servers))
            measures = {}
            for count, endpoint in endpoints.items():
                way = remote_vector_env(endpoint, options.sessions, action=action)
                measures[count] = partial(stack.enter_context(way), options.seconds)
            figures[name] = alternate(measures, options.rounds)
    first = str(options.workers[0])
    rows = [
        [name, count, spread(rates), spread(ratios(rates, counts[first]), ".2f")]
        for name, counts in figures.items()
        for count, rates in counts.items()
    ]
    print(describe(facts), "\n")
    print(f"{options.sessions} sessions in lockstep, median (min-max) over the rounds:\n")
    print(table(["environment", "workers", "steps a second", f"beside {first}"], rows))
    write_json(options.json, facts, {"sessions": options.sessions, "steps_per_second": figures})


if __name__ == "__main__":
    main()
