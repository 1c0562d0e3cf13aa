"""How long a task reset of the Git environment takes: a repository of 1,000 commits, 1 and 8 sessions.

    python benchmarks/git_reset.py [--commits 1000] [--episodes 25] [--workspace-dir DIR] [--json FILE]

Each session is an environment of its own on a thread of its own, as the server runs it; they share the
mirror and the prepared checkouts. An episode is a reset (the workspace is replaced by a fresh checkout of
the task's commit) and one `git status`. "Paced" leaves a second between episodes, less than any agent that
thinks; "back to back" leaves none, so that checkouts are used up faster than a few cores prepare them.
Then one session alone: a snapshot of it, going back to that, and a fork, which is another session's sandbox
and the snapshot's files in it. For comparison: `git clone --shared` of the same commit from the same mirror,
and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from git_env.models import GitAction
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings, Task
from git_env.server.shared_state import SharedState

FILES = 250
THINKING_SECONDS = 1.0
STATUS = GitAction(action_type="execute_git_command", command="status")
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def history(commits: int) -> Iterator[bytes]:
    """A linear history as a fast-import stream: every commit changes one of 250 files of 2 to 4 kB."""
    for number in range(commits):
        text = b"".join(b"line %d of revision %d\n" % (line, number) for line in range(100))
        yield b"commit refs/heads/main\ncommitter A <a@example.com> %d +0000\n" % (
            1_600_000_000 + 60 * number
        )
        yield b"data 6\nChange\n" + b"M 100644 inline folder%d/file%d.txt\n" % (number % 25, number % FILES)
        yield b"data %d\n" % len(text) + text + b"\n"


def make_repository(path: Path, commits: int) -> None:
    """Create a bare repository with `history`."""
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", path], env=ENVIRON, check=True)
    stream = b"".join(history(commits))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, env=ENVIRON, input=stream, check=True)
    # As any git host does some time after a push.
    subprocess.run(["git", "repack", "-q", "-a", "-d", "-f"], cwd=path, env=ENVIRON, check=True)


def session(shared: SharedState, episodes: int, pause: float, times: dict[str, list[float]]) -> None:
    """Play episodes; adds each reset's and each step's seconds to ``times``."""
    env = GitEnvironment(shared)
    env.reset(seed=0)  # opens the sandbox
    for seed in range(episodes):
        time.sleep(pause)
        started = time.perf_counter()
        env.reset(seed=seed)
        reset = time.perf_counter()
        observation = env.step(STATUS)
        times["reset"].append(reset - started)
        times["status"].append(time.perf_counter() - reset)
        assert observation.success, observation.error
    env.close()


def run(shared: SharedState, sessions: int, episodes: int, pause: float) -> dict[str, list[float]]:
    """Play in ``sessions`` threads at once."""
    times: dict[str, list[float]] = {"reset": [], "status": []}
    arguments = (shared, episodes, pause, times)
    threads = [threading.Thread(target=session, args=arguments) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def clones(shared: SharedState, folder: Path, rounds: int) -> list[float]:
    """Seconds that `git clone --shared` takes from the mirror."""
    mirror = shared.mirrors.get(shared.find("thousand"))
    times = []
    for number in range(rounds):
        command = ["git", "clone", "-q", "--shared", "-b", "main", mirror.path, folder / str(number)]
        started = time.perf_counter()
        subprocess.run(command, env=ENVIRON, check=True)
        times.append(time.perf_counter() - started)
    return times


def snapshots(shared: SharedState, rounds: int) -> dict[str, list[float]]:
    """Seconds that a snapshot takes, going back to it, and beginning another environment from it."""
    times: dict[str, list[float]] = {"snapshot": [], "restore": [], "fork": []}
    env = GitEnvironment(shared)
    env.reset(seed=0)
    for _ in range(rounds):
        started = time.perf_counter()
        state = env.snapshot()
        taken = time.perf_counter()
        env.restore(state)
        restored = time.perf_counter()
        fork = GitEnvironment(shared)
        fork.restore(state)
        times["fork"].append(time.perf_counter() - restored)
        times["restore"].append(restored - taken)
        times["snapshot"].append(taken - started)
        fork.close()
    env.close()
    return times


def row(name: str, values: list[float]) -> str:
    """One line of the table, in milliseconds."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{name:44} {statistics.median(ordered) * 1e3:8.1f} {p99 * 1e3:8.1f} {len(ordered):6}"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--episodes", type=int, default=25, help="episodes of each session")
    parser.add_argument("--workspace-dir", type=Path, help="WORKSPACE_DIR, for example /dev/shm")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    results: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_repository(folder / "thousand.git", arguments.commits)
        tasks = {"middle": Task("middle", "thousand", f"main~{arguments.commits // 2}")}
        imports = (str(folder / "thousand.git"),)
        settings = GitSettings(imports=imports, tasks=tasks, workspace_dir=arguments.workspace_dir)
        with SharedState(settings) as shared:
            shared.prepare()
            shared.pool.drain()
            for sessions in (1, 8):
                for label, pause in (("paced", THINKING_SECONDS), ("back to back", 0.0)):
                    times = run(shared, sessions, arguments.episodes, pause)
                    shared.pool.drain()
                    for what, values in times.items():
                        results[f"{what}, {sessions} sessions, {label}"] = values
            results |= snapshots(shared, 30)
            results["git clone --shared, alone"] = clones(shared, shared.directory, 30)
    print(f"{'milliseconds':44} {'p50':>8} {'p99':>8} {'count':>6}")
    for name, values in results.items():
        print(row(name, values))
    load = os.getloadavg()[0]
    print(f"{arguments.commits} commits, {FILES} files; {os.cpu_count()} cores, load {load:.1f}")
    if arguments.json:
        setting = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
        Path(arguments.json).write_text(json.dumps({"seconds": results, **setting}, indent=1) + "\n")


if __name__ == "__main__":
    main()
