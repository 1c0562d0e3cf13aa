"""Looks at a session's repository for grading. The agent could have written anything there.

Git runs in the session's own sandbox, with the settings that let no repository choose a program. It reads
no more than references, the status and raw objects, and each object's content must hash to its name, so
that the repository can hold things back, but not lie about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from typing import cast

from git_env.server.checkouts import WorkingDirectory
from git_env.server.policy.refusal import Refusal
from git_env.server.session_workspace import SessionWorkspace
from git_tasks_env.server.grading.end_state import EndState
from git_tasks_env.server.grading.goals import ANSWER
from git_tasks_env.server.object_process import ObjectProcess

_MAX_OBJECTS = 20_000
# Of the tags only those: a repository may have thousands.
_ANSWERS = f"refs/tags/{ANSWER}*"
_REFS = ("for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", "refs/heads", _ANSWERS)
_STATUS = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
_PARSED = 3


@contextmanager
def end_state(workspace: SessionWorkspace, where: WorkingDirectory, now: int) -> Iterator[EndState]:
    """Look at the repository; objects can be read while the ``with`` block lasts.

    Args:
        workspace: The session's.
        where: The task's repository.
        now: What git takes for the present.

    Raises:
        Refusal: The repository was tampered with, or git does not work on it any more.
    """
    refs = _refs(_ask(workspace, where, _REFS, now))
    status = workspace.run_git(where, _STATUS, now=now)
    with workspace.open_git(where, ["cat-file", "--batch"], now=now) as process:
        assert process.stdin is not None
        objects = ObjectProcess(process.stdin, BufferedReader(cast(FileIO, process.stdout)), _MAX_OBJECTS)
        yield EndState(refs, objects, clean=not status.exit_code and not status.stdout)


def _ask(workspace: SessionWorkspace, where: WorkingDirectory, argv: tuple[str, ...], now: int) -> str:
    done = workspace.run_git(where, argv, now=now)
    if done.exit_code:
        raise Refusal(f"the repository cannot be read: {done.stderr.strip()}")
    return done.stdout


def _refs(listing: str) -> dict[str, str]:
    refs = {}
    for line in listing.splitlines():
        fields = line.split(" ", _PARSED - 1)
        if len(fields) == _PARSED:  # the last line of a listing that was cut is not
            name, peeled, ref = fields
            refs[ref] = peeled or name
    return refs
