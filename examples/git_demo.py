"""Eight scripted agents work in a real git repository at once, through `gymnasium.make_vec`.

    python examples/git_demo.py [REPO] [--envs 8] [--episodes 24]

REPO is a path or a URL; the checkout you stand in by default. Nothing in it is touched: an embedded git host
imports a copy, and every session works in a workspace of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import openenv_gym  # noqa: F401 - registers the ids
from git_env import GitAction
from git_env.host import GitHost
from openenv_gym.errors import StartupError

TASKS = 4  # different commits that episodes start from


def agent(repo: str, lane: int, episode: int) -> Iterator[GitAction]:
    """Look around, branch, edit, commit: the steps of one episode."""

    def git(command: str) -> GitAction:
        return GitAction(action_type="execute_git_command", command=command, working_dir=f"copy-{lane}")

    note = f"copy-{lane}/NOTES-{lane}.md"
    yield GitAction(action_type="list_repos")
    yield GitAction(action_type="clone_repo", repo_name=repo, target_dir=f"copy-{lane}")
    yield git("log --oneline -n 5")
    yield git(f"checkout -b agent/{lane}-{episode}")
    yield GitAction(action_type="write_file", path=note, content=f"# Agent {lane}\n\nEpisode {episode}.\n")
    yield GitAction(action_type="read_file", path=note)
    yield git("status --short")
    yield git(f"add NOTES-{lane}.md")
    yield git(f'commit -m "Notes of agent {lane}, episode {episode}"')
    yield git("diff HEAD --stat")
    yield git("show --stat HEAD")
    yield git("branch --list")


class Record:
    """What the demo measured."""

    def __init__(self) -> None:
        self.resets: list[float] = []
        self.steps: list[float] = []
        self.failures: list[str] = []

    def table(self, episodes: int, seconds: float) -> Table:
        """Lay out the closing table."""
        table = Table(title="openenv/Git-v0", show_header=False, min_width=44)
        table.add_row("episodes", str(episodes))
        table.add_row("steps", str(len(self.steps)))
        table.add_row("steps a second", f"{len(self.steps) / seconds:.1f}")
        for name, values in (("reset", self.resets), ("step", self.steps)):
            p50, p99 = (1e3 * quantile(values, q) for q in (0.50, 0.99))
            table.add_row(f"{name} latency p50 / p99", f"{p50:.1f} / {p99:.1f} ms")
        colour = "red" if self.failures else "green"
        table.add_row("failures", f"[{colour}]{len(self.failures)}[/]")
        return table


def quantile(values: list[float], q: float) -> float:
    """The q-quantile of at least one value."""
    return (
        statistics.quantiles(values, n=1000, method="inclusive")[round(q * 1000) - 1]
        if values[1:]
        else values[0]
    )


def commits(host: GitHost, repo: str) -> list[str]:
    """Ask the host for commits to start episodes from, spread over the recent history."""
    reply = httpx.get(
        f"{host.url}/api/v1/repos/{host.username}/{repo}/commits",
        params={"limit": 50},
        auth=(host.username, host.password),
        timeout=60,
    )
    if reply.status_code == httpx.codes.CONFLICT:  # how Gitea says that a repository is empty
        sys.exit(
            f"{repo} has no commits yet: commit something, or name another repository (make demo REPO=...)"
        )
    reply.raise_for_status()
    shas = [commit["sha"] for commit in reply.json()]
    return shas[:: max(1, len(shas) // TASKS)][:TASKS]


def run(envs: Any, repo: str, tasks: list[str], episodes: int, progress: Progress) -> Record:
    """Run all episodes, each lane going on as soon as its own answer is there."""
    record = Record()
    bar = progress.add_task("episodes", total=episodes)
    agents: dict[int, Iterator[GitAction]] = {}
    sent_at: dict[int, float] = {}
    resetting: dict[int, bool] = {}
    begun = 0

    def start_episode(lane: int) -> None:
        nonlocal begun
        agents[lane] = agent(repo, lane, begun)
        sent_at[lane], resetting[lane] = time.perf_counter(), True
        envs.send_reset([lane], seed=begun, options={"task_id": tasks[begun % len(tasks)]})
        begun += 1

    for lane in range(min(envs.num_envs, episodes)):
        start_episode(lane)
    while agents:
        obs, *_, info = envs.recv(min_envs=1)
        now = time.perf_counter()
        for row, lane in enumerate(info["env_id"].tolist()):
            (record.resets if resetting[lane] else record.steps).append(now - sent_at[lane])
            if info["fault"][row] or not obs["success"][row]:
                record.failures.append(info["fault"][row] or f"lane {lane}: {obs['error'][row]}")
            action = next(agents[lane], None)
            if action is not None:
                sent_at[lane], resetting[lane] = time.perf_counter(), False
                envs.send([action], [lane])
                continue
            del agents[lane]
            progress.advance(bar)
            if begun < episodes:
                start_episode(lane)
    return record


def main() -> int:
    """Import the repository, run the agents, print the table; returns 1 if anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repo", nargs="?", default=".", help="path or URL of a git repository")
    parser.add_argument("--envs", type=int, default=8, help="sessions at once")
    parser.add_argument("--episodes", type=int, default=24)
    arguments = parser.parse_args()
    console = Console()
    source = arguments.repo if "://" in arguments.repo else Path(arguments.repo).resolve()
    console.print(f"Importing [bold]{source}[/] into an embedded git host ...")
    with contextlib.ExitStack() as stack:
        try:
            host = stack.enter_context(GitHost(imports=[source]))
        except StartupError as error:
            sys.exit(f"{error}\nName a git repository by its path or URL: make demo REPO=...")
        repo = host.repositories()[0].name
        tasks = {f"task-{number}": [repo, sha] for number, sha in enumerate(commits(host, repo))}
        os.environ.update(
            GITEA_URL=host.url,
            GITEA_USERNAME=host.username,
            GITEA_PASSWORD=host.password,
            TASK_REPOS=json.dumps(tasks),
        )
        console.print("Starting the environment's server ...")
        envs = stack.enter_context(gymnasium.make_vec("openenv/Git-v0", num_envs=arguments.envs))
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console) as progress:
            started = time.perf_counter()
            record = run(envs, repo, list(tasks), arguments.episodes, progress)
            seconds = time.perf_counter() - started
    console.print(record.table(arguments.episodes, seconds))
    for failure in record.failures[:5]:
        console.print(f"[red]{failure}[/]")
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
