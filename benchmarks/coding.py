"""How long a reset and a step of the Coding environment take, over its server: 1 and 8 sessions.

    python benchmarks/coding.py [--episodes 20] [--steps 20] [--json FILE]

Each session is a typed client on a thread of its own. An episode is a reset (a fresh interpreter in a fresh
sandbox, seeded) and steps of one expression, scored. "Paced" leaves a second between episodes, less than any
agent that thinks; "back to back" leaves none, so that interpreters are used up faster than two cores start
them: then a reset takes what a start takes. Beside it: a fresh `python3 -c pass` without any sandbox, and
`exec` of the same expression in this process: a step without a server, a sandbox and a score.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from coding_env import CodeAction, CodingEnv
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider

THINKING_SECONDS = 1.0
CODE = "sum(range(10))"


def session(server: Endpoint, episodes: int, steps: int, pause: float, times: dict[str, list[float]]) -> None:
    """Play episodes; adds each reset's and each step's seconds to ``times``."""
    with CodingEnv(base_url=server.base_url, token=server.token).sync() as client:
        for seed in range(episodes):
            time.sleep(pause)
            started = time.perf_counter()
            client.reset(seed=seed)
            times["reset"].append(time.perf_counter() - started)
            for _ in range(steps):
                started = time.perf_counter()
                observation = client.step(CodeAction(code=CODE)).observation
                times["step"].append(time.perf_counter() - started)
                assert observation.stdout == "45\n", observation


def run(server: Endpoint, sessions: int, episodes: int, steps: int, pause: float) -> dict[str, list[float]]:
    """Play in ``sessions`` threads at once."""
    times: dict[str, list[float]] = {"reset": [], "step": []}
    arguments = (server, episodes, steps, pause, times)
    threads = [threading.Thread(target=session, args=arguments) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def fresh_processes(rounds: int) -> list[float]:
    """Seconds that a Python takes to start and end."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(time.perf_counter() - started)
    return times


def bare_executions(rounds: int) -> list[float]:
    """Seconds that compiling and running the code takes here."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        exec(compile(CODE, "code", "exec"), {})
        times.append(time.perf_counter() - started)
    return times


def row(name: str, values: list[float]) -> str:
    """One line of the table, in milliseconds."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{name:36} {statistics.median(ordered) * 1e3:8.2f} {p99 * 1e3:8.2f} {len(ordered):6}"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=20, help="episodes of each session")
    parser.add_argument("--steps", type=int, default=20, help="steps of each episode")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    results: dict[str, list[float]] = {}
    provider = ProcessProvider()
    app = CodingEnv.server_app
    assert app is not None
    server = provider.start(ServerSpec(app=app, name="coding"))
    try:
        run(server, 1, 2, 1, THINKING_SECONDS)  # starts the judge, and the first spares
        for sessions in (1, 8):
            for label, pause in (("paced", THINKING_SECONDS), ("back to back", 0.0)):
                times = run(server, sessions, arguments.episodes, arguments.steps, pause)
                time.sleep(2 * THINKING_SECONDS)  # new spares
                for what, values in times.items():
                    results[f"{what}, {sessions} sessions, {label}"] = values
    finally:
        provider.stop()
    results["python3 -c pass"] = fresh_processes(20)
    results["exec of a step's code, here"] = bare_executions(1000)
    print(f"{'milliseconds':36} {'p50':>8} {'p99':>8} {'count':>6}")
    for name, values in results.items():
        print(row(name, values))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}")
    if arguments.json:
        setting = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
        Path(arguments.json).write_text(json.dumps({"seconds": results, **setting}, indent=1) + "\n")


if __name__ == "__main__":
    main()
