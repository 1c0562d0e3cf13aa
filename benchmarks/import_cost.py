"""What imports cost: `import openenv_gym` beside gymnasium's, and the start of a server and of its worker.

Usage: python benchmarks/import_cost.py [--rounds 15] [--json FILE]

Fresh processes, alternating. A server's start is from its exec to the first answer of `/health`, a worker's
to the word that it is prepared; nearly all of either is Python's imports.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import resource
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from measuring import alternate, describe, machine, ratios, spread, table, write_json
from process_memory import memory_of

from echo_env import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.server.definition import define
from openenv_gym.server.executors import SpareWorkers

STATEMENTS = {
    "gymnasium": "import gymnasium",
    "gymnasium + openenv_gym": "import gymnasium, openenv_gym",
    "openenv_gym": "import openenv_gym",
    "openenv_gym + RemoteVectorEnv": "from openenv_gym import RemoteVectorEnv",
    "openenv_gym + EnvClient": "from openenv_gym import EnvClient",
}
PROBE = "import sys, time; t = time.perf_counter(); {}; print(time.perf_counter() - t, len(sys.modules))"
LIBRARIES = "fastapi + uvicorn, imported"  # what a server cannot do without


class Start(NamedTuple):
    """What a process needed until it was of use.

    Attributes:
        wall: Seconds.
        processor: Seconds of processor time, until it had ended.
        memory: Bytes, as `process_memory` counts them.
    """

    wall: float
    processor: float
    memory: int


def probe(statement: str) -> tuple[float, int]:
    """Run one import in a fresh interpreter; returns seconds and modules loaded."""
    command = [sys.executable, "-c", PROBE.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def start_libraries() -> Start:
    """Start an interpreter that imports what every server is built on."""
    spent, began = _processor(), time.perf_counter()
    command = [sys.executable, "-c", "import fastapi, uvicorn; print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        wall, memory = time.perf_counter() - began, memory_of(process.pid)
        process.communicate(b"\n", timeout=60)
    return Start(wall, _processor() - spent, memory)


def start_server(app: str = "echo_env.server.app:app") -> Start:
    """Start a server on a socket that is bound already, so that the first request waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        arguments = (app, "--log-level", "warning", "--fd", str(fd))
        spent, began = _processor(), time.perf_counter()
        command = [sys.executable, "-m", "openenv_gym.server.serve", *arguments]
        process = subprocess.Popen(command, pass_fds=[fd])
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        wall, memory = time.perf_counter() - began, memory_of(process.pid)
        connection.close()
    finally:
        process.terminate()
        process.wait(60)
    return Start(wall, _processor() - spent, memory)


def start_worker() -> Start:
    """Start a worker process for Echo, as a server with execution `process` does for each session."""

    async def prepare() -> tuple[float, int]:
        began = time.perf_counter()
        worker = await SpareWorkers(definition).take()
        figures = time.perf_counter() - began, memory_of(worker.pid)
        await worker.kill()
        return figures

    definition = define(EchoEnvironment, EchoAction, EchoObservation, execution="process")
    spent = _processor()
    wall, memory = asyncio.run(prepare())
    return Start(wall, _processor() - spent, memory)


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, print two tables, write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    facts = machine()
    modules = {name: probe(statement)[1] for name, statement in STATEMENTS.items()}
    timed = {name: lambda s=statement: probe(s)[0] for name, statement in STATEMENTS.items()}
    times = alternate(timed, options.rounds)
    rows = []
    for name, values in times.items():
        over = [1e3 * (value - base) for value, base in zip(values, times["gymnasium"], strict=True)]
        rows.append([name, spread([1e3 * value for value in values]), spread(over), str(modules[name])])
    print(describe(facts), "\n")
    print(table(["import", "ms", "ms over gymnasium's", "modules"], rows), "\n")
    processes = {LIBRARIES: start_libraries, "a server of Echo": start_server, "its worker": start_worker}
    starts = alternate(processes, options.rounds)
    print(report(starts))
    write_json(options.json, facts, {"seconds": times, "modules": modules, "starts": starts})


def report(starts: dict[str, list[Start]]) -> str:
    """Lay out what processes needed to start, each beside what the libraries alone do."""
    rows = []
    for name, figures in starts.items():
        beside = ratios([one.processor for one in figures], [one.processor for one in starts[LIBRARIES]])
        rows.append(
            [
                name,
                spread([1e3 * one.wall for one in figures]),
                spread([1e3 * one.processor for one in figures]),
                spread(beside, ".2f"),
                spread([one.memory / 2**20 for one in figures], ".1f"),
            ]
        )
    return table(["start of", "ms", "processor ms", "beside the libraries", "MiB"], rows)


if __name__ == "__main__":
    main()
