"""Lays a task's history over a prepared checkout: one pack, the references and their logs, changed files.

All is done by trusted code before the agent's sandbox can reach the directory.
"""

from __future__ import annotations

from pathlib import Path

from git_env.server.fresh_checkout import OPEN_MODE, quoted_path
from git_env.server.hardening import AUTHOR_EMAIL, AUTHOR_NAME
from git_env.server.trusted_git import TrustedGit
from git_tasks_env.server.objects import Signature
from git_tasks_env.server.task import LogEntry, Task

_NO_OBJECT = "0" * 40


def lay_over(git: TrustedGit, task: Task, directory: Path) -> None:
    """Turn a fresh checkout of the task's base into the task's repository.

    Args:
        git: Runs git.
        task: What is laid over it.
        directory: The checkout.

    Raises:
        TrustedGitError: Git could not check it out.
    """
    git_dir = directory / ".git"
    tip = task.refs[task.head]
    _write_pack(task, git_dir)
    _write(git_dir / "HEAD", f"ref: {task.head}\n".encode())
    for ref, commit in task.refs.items():
        _write(git_dir / ref, f"{commit}\n".encode())
    time = task.base.mirror.newest
    created = LogEntry(_NO_OBJECT, tip, Signature(AUTHOR_NAME, AUTHOR_EMAIL, time), "clone: of the task")
    logs = {"HEAD": (created,), task.head: (created,), **task.reflogs}
    for ref, entries in logs.items():
        lines = (f"{entry.old} {entry.new} {entry.who}\t{entry.reason}\n" for entry in entries)
        _write(git_dir / "logs" / ref, "".join(lines).encode())
    base = [task.base.commit] if task.base.commit else []
    git.run(
        ["read-tree", "-m", "-u", *base, tip],
        git_dir=git_dir,
        environ={
            "GIT_WORK_TREE": str(directory),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(task.base.mirror.objects),
        },
        umask=0 if OPEN_MODE else -1,
    )


def _write_pack(task: Task, git_dir: Path) -> None:
    if task.objects:
        pack, index = task.pack
        name = git_dir / "objects" / "pack" / f"pack-{pack[-20:].hex()}"
        _write(name.with_suffix(".pack"), pack)
        _write(name.with_suffix(".idx"), index)


def _write(path: Path, data: bytes) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            if OPEN_MODE:
                folder.chmod(0o777)
    path.write_bytes(data)
    if OPEN_MODE:
        path.chmod(0o666)
