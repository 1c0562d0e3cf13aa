"""The kernel's count of a user's processes, which in a container is not what /proc shows."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv_gym.sandbox.inside import task_count

IS_ROOT = os.geteuid() == 0
# An ordinary user, whom nobody else on the machine is; root has no limit.
USER = 60_500 + os.getpid() % 4_000 if IS_ROOT else os.geteuid()
# Its code comes by standard input, for that user may not read everybody's folders.
COUNT = """
import resource, sys
exec(compile(sys.stdin.read(), "task_count", "exec"))
tasks = TaskCount()
tasks._count, *hard = map(int, sys.argv[1:])
if hard:
    resource.setrlimit(resource.RLIMIT_NPROC, (hard[0], hard[0]))
before = resource.getrlimit(resource.RLIMIT_NPROC)
print(tasks.get())
assert resource.getrlimit(resource.RLIMIT_NPROC) == before
"""


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(["sleep", "600"], user=USER, cwd="/"))
            stack.callback(process.kill)
        yield


def count(guess: int, *hard: int) -> int:
    """Count in another process; as root in a namespace where /proc shows nobody else, as in a container."""
    words = ["/usr/bin/python3", "-I", "-S", "-c", COUNT, *map(str, (guess, *hard))]
    if IS_ROOT:
        become = ["setpriv", f"--reuid={USER}", "--clear-groups"]
        words = ["unshare", "--pid", "--fork", "--mount-proc", *become, *words]
    source = Path(task_count.__file__).read_text()
    done = subprocess.run(
        words, input=source, capture_output=True, text=True, cwd="/", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("guess", [0, 5, 20, 21, 22, 30, 5000])
def test_neighbours_are_counted_from_any_guess(guess: int) -> None:
    with neighbours(20):
        found = count(guess)
    if IS_ROOT:
        assert found == 20 + 1
    else:  # somebody at work on this machine starts and ends programs meanwhile
        assert found >= 20


def test_where_nothing_more_can_be_started_the_last_count_stays() -> None:
    with neighbours(20):
        assert count(7, 10) == 7
