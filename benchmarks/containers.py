"""What containers cost: starting them, stepping through them, and losing one.

Usage: PYTHONPATH=. .venv/bin/python benchmarks/containers.py [--parts starts steps recovery]
       [--containers 1 8] [--sessions 256] [--rounds 3] [--seconds 0.5] [--long] [--json FILE]

- starts: from nothing to the first step of a session in each of so many containers, by a fleet; by hand, the
  limit: the program ``docker run``, a look at /health every 50 ms and a bare WebSocket, in as many threads as
  the fleet has starts under way at once; and by a fleet of processes of this machine.
- steps: one server process, the same in a container, with and without the engine's forwarding of its port,
  and four of each.
- recovery: one of eight containers is killed in mid-episode, with room on the others for its sessions.

The image is built as the tests build theirs. Root gets an engine for it that ends with the benchmark; others,
and those who set DOCKER_HOST, use theirs, where nothing is left. `make bench-docker` installs what it needs.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import asdict
from functools import partial
from typing import Any

import docker
from container_recovery import measure_recovery
from container_starts import Start, by_fleet, by_hand, by_processes
from container_steps import APP, measure_steps
from echo_image import echo_image
from measuring import alternate, describe, machine, parser, ratios, spread, table, write_json

PARTS = ("starts", "steps", "recovery")
SERVERS, SESSIONS = 8, 4  # of the recovery: servers, and sessions on each
HAND = "docker run, by hand"


def main() -> None:
    """Measure, print tables, write JSON if asked."""
    options = _options()
    facts = machine()
    print(describe(facts), "\n", flush=True)
    figures: dict[str, Any] = {}
    with echo_image() as (client, image):
        facts["engine"] = client.version()["Version"]
        print(f"Docker {facts['engine']}\n", flush=True)
        if "starts" in options.parts:
            figures["starts"] = _starts(image, options)
        if "steps" in options.parts:
            figures["steps_per_second"] = _steps(client, image, options)
        if "recovery" in options.parts:
            figures["recovery"] = _recovery(client, image, options.rounds)
    write_json(options.json, facts, figures)


def _options() -> argparse.Namespace:
    command = parser(__doc__, rounds=3, seconds=0.5)
    command.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="by default all")
    command.add_argument("--containers", type=int, nargs="+", default=[1, 8], metavar="N")
    command.add_argument("--sessions", type=int, nargs="+", default=[256], metavar="N")
    command.add_argument("--long", action="store_true", help="the sizes of README.md's tables")
    options = command.parse_args()
    if options.long:
        options.rounds, options.containers, options.sessions = 5, [1, 8, 32], [64, 256]
    return options


def _starts(image: str, options: argparse.Namespace) -> dict[int, dict[str, list[dict[str, Any]]]]:
    by_fleet(image, 1)  # imports, and the engine's first time
    measured: dict[int, dict[str, list[Start]]] = {}
    for count in options.containers:
        ways = {
            "Fleet(DockerProvider())": partial(by_fleet, image, count),
            HAND: partial(by_hand, image, count),
            "Fleet(ProcessProvider())": partial(by_processes, APP, count),
        }
        measured[count] = alternate(ways, options.rounds)
    print(
        "Seconds, median (min-max): to the first step of all; of containers, until one runs, and is ready:\n"
    )
    rows = [
        [
            f"{count} x {name}",
            spread([start.total for start in starts], ".2f"),
            spread(ratios([start.total for start in starts], [one.total for one in ways[HAND]]), ".2f"),
            _over_all([start.launched for start in starts]),
            _over_all([start.ready for start in starts]),
        ]
        for count, ways in measured.items()
        for name, starts in ways.items()
    ]
    print(table(["", "to the first step", "beside by hand", "runs", "is ready"], rows), "\n", flush=True)
    return {
        count: {name: [asdict(start) for start in starts] for name, starts in ways.items()}
        for count, ways in measured.items()
    }


def _over_all(rounds: list[list[float]]) -> str:
    values = [value for one in rounds for value in one]
    return f"{statistics.median(values):.2f}" if values else ""


def _steps(
    client: docker.DockerClient, image: str, options: argparse.Namespace
) -> dict[int, dict[str, list[float]]]:
    measured = {
        count: measure_steps(client, image, count, options.rounds, options.seconds)
        for count in options.sessions
    }
    print("Steps a second, sessions in lockstep, median (min-max) over the rounds:\n")
    rows = [
        [f"{count} x {name}", spread(rates), spread(ratios(rates, next(iter(ways.values()))), ".2f")]
        for count, ways in measured.items()
        for name, rates in ways.items()
    ]
    print(table(["", "steps a second", "beside one process"], rows), "\n", flush=True)
    return measured


def _recovery(client: docker.DockerClient, image: str, rounds: int) -> list[dict[str, float]]:
    measured = measure_recovery(client, image, servers=SERVERS, sessions=SESSIONS, rounds=rounds)
    print(f"Seconds after `docker kill` of one of {SERVERS} containers with {SESSIONS} lanes each:\n")
    labels = {
        "its lanes are truncated": [one.truncated for one in measured],
        "they step again, on other servers": [one.stepping for one in measured],
        f"{SERVERS} servers are ready": [one.whole for one in measured],
        "longest wait of the other lanes for a step": [one.stall for one in measured],
        "longest wait of any lane before": [one.calm for one in measured],
    }
    print(table(["", "s"], [[name, spread(values, ".3f")] for name, values in labels.items()]), "\n")
    return [asdict(one) for one in measured]


if __name__ == "__main__":
    main()
