"""Tells other processes of the same user what fleets run: a small file a fleet.

A file names its process by id and start time, so that a recycled id is not mistaken for it; what a process
left that was killed, is removed by whoever reads next. There are no tokens in it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from openenv_gym.client.fleet.status import FleetStatus, ServerPhase, ServerStatus

_MOST_BYTES = 4 * 2**20  # of one file; a larger one is none of ours
_LONGEST_ERROR = 500  # characters
_numbers = itertools.count(1)


class StatusFile:
    """One fleet's file; made by the first `write`.

    A folder that is not this user's alone, or cannot be written, means that other processes see nothing of
    the fleet; it works all the same.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._text = ""

    def write(self, status: FleetStatus) -> None:
        """Replace what the file says.

        Raises:
            OSError: It cannot be written, or the folder is not safe to write to.
        """
        text = json.dumps({**asdict(_shortened(status)), "started": _start_time(status.pid)})
        if text == self._text:
            return
        if self._path is None:
            self._path = _safe_folder() / f"{status.pid}-{next(_numbers)}.json"
        draft = self._path.with_suffix(".new")
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w"
        ) as file:
            file.write(text)
        draft.replace(self._path)
        self._text = text

    def remove(self) -> None:
        """Remove the file. May be repeated."""
        path, self._path = self._path, None
        if path is not None:
            for one in (path, path.with_suffix(".new")):
                with contextlib.suppress(OSError):
                    one.unlink(missing_ok=True)


def read_fleets() -> list[FleetStatus]:
    """Read what fleets of this user run now, in this process and others, the oldest first.

    Files of processes that are no more are removed.
    """
    fleets = []
    try:
        paths = sorted(_safe_folder().glob("*.json"))
    except OSError:
        return []
    for path in paths:
        if (fleet := _read(path)) is not None:
            fleets.append(fleet)
    return sorted(fleets, key=lambda fleet: fleet.since)


def _read(path: Path) -> FleetStatus | None:
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        started = _start_time(int(told["pid"]))
        if started and started == told["started"]:
            return _parsed(told)
        _discard(path)
    except FileNotFoundError:
        return None  # its fleet was stopped meanwhile
    except (OSError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # of another version of this library
    return None


def _discard(path: Path) -> None:
    for one in (path, path.with_suffix(".new")):
        with contextlib.suppress(OSError):
            one.unlink(missing_ok=True)


def _parsed(told: Mapping[str, Any]) -> FleetStatus:
    servers = [
        ServerStatus(
            name=str(one["name"]),
            state=ServerPhase(one["state"]),
            since=float(one["since"]),
            url=str(one["url"]),
            sessions=int(one["sessions"]),
            capacity=None if one["capacity"] is None else int(one["capacity"]),
            restarts=int(one["restarts"]),
            last_error=str(one["last_error"]),
        )
        for one in told["servers"]
    ]
    return FleetStatus(
        name=str(told["name"]),
        pid=int(told["pid"]),
        since=float(told["since"]),
        target=int(told["target"]),
        waiting=int(told["waiting"]),
        trouble=str(told["trouble"]),
        servers=tuple(servers),
    )


def _shortened(status: FleetStatus) -> FleetStatus:
    servers = tuple(replace(one, last_error=one.last_error[-_LONGEST_ERROR:]) for one in status.servers)
    return replace(status, servers=servers, trouble=status.trouble[-_LONGEST_ERROR:])


def _safe_folder() -> Path:
    """The folder of this user's files; made if it is not there.

    Raises:
        OSError: It could not be made, or others may write to it.
    """
    run = os.environ.get("XDG_RUNTIME_DIR")
    if run and Path(run).is_dir():
        folder = Path(run) / "openenv-gym"
    else:
        folder = Path(tempfile.gettempdir()) / f"openenv-gym-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user's alone (mode 0700)")
    return folder


def _start_time(pid: int) -> str:
    """When a process started, in the kernel's own count; empty when there is none."""
    try:
        # The name, in parentheses, may hold anything; the state is the first field after it, this the 20th.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, ValueError):
        return ""
