"""Steps a second of pixel observations, 210x160x3 bytes each, beside OpenEnv's lists and bare sockets.

Usage: .venv-interop/bin/python benchmarks/pixels.py [--sessions 16] [--rounds 3] [--seconds 1] [--json FILE]

OpenEnv carries a frame as integers in JSON: nested lists, or one flat list as its own Atari environment
does. The bare sockets answer every request with as many bytes as a frame has. Servers and clients share this
machine. OpenEnv comes from `make .venv-interop/.ready`.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import partial
from typing import Any

from contenders import bare_sockets, remote_vector_env, upstream_clients
from local_servers import on_uvicorn, ours, running, script
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json
from pixel_screen import SHAPE

OURS = "RemoteVectorEnv, our server"
NESTED = "OpenEnv's clients and server, nested lists"
FLAT = "OpenEnv's clients and server, flat lists"
BARE = "bare WebSockets, as many bytes"

COMPARISONS = [("ours / nested lists", NESTED), ("ours / flat lists", FLAT), ("ours / bare WebSockets", BARE)]
ACTION = {"speed": 1}
COMMANDS = {
    OURS: ours("pixel_server:app"),
    NESTED: on_uvicorn("upstream_pixels:nested"),
    FLAT: on_uvicorn("upstream_pixels:flat"),
    BARE: script("bare_echo.py", str(math.prod(SHAPE))),
}


def main() -> None:
    """Measure, print two tables, write JSON if asked."""
    command = parser(__doc__, rounds=3, seconds=1.0)
    command.add_argument("--sessions", type=int, default=16, metavar="N")
    options = command.parse_args()
    facts = machine()
    with ExitStack() as stack:
        servers = stack.enter_context(running(COMMANDS))
        ways = {
            OURS: remote_vector_env(servers[OURS], options.sessions, "v1", ACTION),
            NESTED: upstream_clients(servers[NESTED], options.sessions, ACTION),
            FLAT: upstream_clients(servers[FLAT], options.sessions, ACTION),
            BARE: bare_sockets(servers[BARE], options.sessions),
        }
        measures = {name: stack.enter_context(way) for name, way in ways.items()}
        timed = {name: partial(measure, options.seconds) for name, measure in measures.items()}
        figures = alternate(timed, options.rounds)
    report(facts, figures, options.sessions)
    write_json(options.json, facts, {"sessions": options.sessions, "steps_per_second": figures})


def report(facts: dict[str, Any], figures: dict[str, list[float]], sessions: int) -> None:
    """Print the figures, and the ratios taken round by round."""
    print(describe(facts), "\n")
    print(f"Steps a second of {sessions} sessions, median (min-max) over the rounds:\n")
    print(table(["", "steps/s"], [[name, spread(values)] for name, values in figures.items()]))
    print("\nRatios, round by round:\n")
    compared = [[name, spread(ratios(figures[OURS], figures[other]), ".2f")] for name, other in COMPARISONS]
    print(table(["", "times"], compared))


if __name__ == "__main__":
    main()
