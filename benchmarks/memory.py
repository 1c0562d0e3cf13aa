"""Memory a session, of the server and of the client, beside OpenEnv: Echo under each kind of execution.

Usage: .venv-interop/bin/python benchmarks/memory.py [--sessions 1024] [--processes 8] [--rounds 1]
       [--json FILE]

Each server and each client is a fresh process. What is counted is by how much they (and the processes that
the server starts for sessions) grow by so many sessions, opened, reset and stepped, after a quarter as many
to fill what memory was left over from starting. Pages that processes share are divided among them. Linux
only. OpenEnv comes from `make .venv-interop/.ready`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local_servers import Command, on_uvicorn, ours, running
from measuring import describe, machine, spread, table, write_json
from process_memory import descendants, memory_of

_HOLDER = str(Path(__file__).with_name("session_holder.py"))

WAYS: dict[str, tuple[Command, str]] = {
    "ours, inline": (ours("memory_servers:inline"), "ours"),
    "ours, a thread each": (ours("memory_servers:thread"), "ours"),
    "ours, a process each": (ours("memory_servers:process"), "ours"),
    "OpenEnv": (on_uvicorn("upstream_echo:app"), "openenv"),
}


def growth(command: Command, client: str, sessions: int) -> tuple[float, float]:
    """Return by how many bytes a session the server and the client grow."""
    with running({"server": command}) as endpoints:
        endpoint = endpoints["server"]
        servers = descendants(os.getpid())
        holder = subprocess.Popen(
            [sys.executable, _HOLDER, client, endpoint.base_url, str(sessions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SESSION_HOLDER_TOKEN": str(endpoint.token)},
        )
        with holder:
            assert holder.stdin is not None and holder.stdout is not None
            holder.stdout.readline()
            before = _total(servers)
            holder.stdin.write("\n")
            holder.stdin.flush()
            by_client = int(holder.stdout.readline())
            by_server = _total(servers) - before
            holder.stdin.close()
    return by_server / sessions, by_client / sessions


def _total(roots: list[int]) -> int:
    """Add up what processes take, together with those they have started."""
    pids = {*roots, *(pid for root in roots for pid in descendants(root))}
    return sum(map(memory_of, pids))


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--sessions", type=int, default=1024, metavar="N")
    command.add_argument("--processes", type=int, default=8, metavar="N", help="where each is a process")
    command.add_argument("--rounds", type=int, default=1)
    command.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = command.parse_args()
    facts = machine()
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, (server, client) in WAYS.items():
            sessions = options.processes if "process" in name else options.sessions
            figures[name].append(growth(server, client, sessions))
    report(facts, figures)
    write_json(options.json, facts, {"server_and_client_bytes_per_session": figures})


def report(facts: dict[str, Any], figures: dict[str, list[tuple[float, float]]]) -> None:
    """Print what a session takes."""
    print(describe(facts), "\n")
    print("KiB a session, median (min-max) over the rounds:\n")
    rows = []
    for name, values in figures.items():
        server, client = (spread([both[side] / 1024 for both in values], ",.1f") for side in (0, 1))
        # So few lanes as there are processes grow a client by less than it grows by itself.
        rows.append([name, server, "" if "process" in name else client])
    print(table(["", "server", "client"], rows))


if __name__ == "__main__":
    main()
