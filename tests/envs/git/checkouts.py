"""Real git in tests: runs it apart from this machine's configuration, and makes small checkouts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
}


def try_git(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run git and return how it ended."""
    return subprocess.run(
        ["git", *map(str, arguments)],
        cwd=cwd,
        env=_ENVIRON | {"HOME": str(cwd or "/nonexistent")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def git(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run git, which must succeed, and return what it printed."""
    done = try_git(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_checkout(path: Path, commits: int = 2) -> Path:
    """Make a working checkout with a few commits on ``main``."""
    git("init", "--quiet", "--initial-branch=main", path)
    for number in range(commits):
        (path / "file.txt").write_text(f"{number}\n")
        git("add", ".", cwd=path)
        git("commit", "--quiet", f"--message=Commit {number}", cwd=path)
    return path
