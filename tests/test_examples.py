"""Every example runs, as a user would start it; those that need Docker run in ``tests/docker``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
WITHOUT_DOCKER = sorted(path for path in EXAMPLES.glob("*.py") if not path.stem.endswith("_docker"))
ARGUMENTS: dict[str, list[str]] = {"git_demo.py": ["--envs", "2", "--episodes", "3"]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository of somebody's own."""
    path = tmp_path / "some project"
    path.mkdir()
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    git = ["git", "-C", str(path), *identity]
    subprocess.run([*git, "init", "-q", "-b", "trunk"], check=True)
    for number in range(3):
        (path / f"file{number}.txt").write_text(f"{number}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", f"commit {number}"], check=True)
    return path


@pytest.mark.parametrize("example", WITHOUT_DOCKER, ids=lambda path: path.name)
def test_example_runs(example: Path, repository: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GITEA_", "TASK_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", example, *ARGUMENTS.get(example.name, [])],
        cwd=repository,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("make", "said"), [(True, "no commits"), (False, "no git repository")])
def test_demo_says_what_is_wrong_with_a_repository(tmp_path: Path, make: bool, said: str) -> None:
    if make:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    done = subprocess.run(
        [sys.executable, EXAMPLES / "git_demo.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
