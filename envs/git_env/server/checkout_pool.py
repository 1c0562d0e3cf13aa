"""CheckoutPool: fresh checkouts built ahead of need, and used ones removed, both in the background.

Taking a prepared checkout is one rename. A checkout is handed out once and never comes back: what an
episode leaves behind (references, settings, stashes, files) is removed, not cleaned.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from git_env.server.mirrors import Key, StartingPoint
from git_env.server.trusted_git import TrustedGitError

logger = logging.getLogger(__name__)

MAX_STARTING_POINTS = 32
_MAX_TRASH = 32
_SOON, _SOMETIME, _LAST = range(3)


@dataclass(order=True, frozen=True)
class _Job:
    """Something to do in the background; without ``run``, the end of it."""

    urgency: int
    number: int
    run: Callable[[], None] | None = field(default=None, compare=False)


class _Shelf:
    """The prepared checkouts of one starting point.

    Attributes:
        start: The starting point.
        ready: Prepared directories.
        building: How many more are on their way.
        wanted: How many to keep; grows when one was missing.
    """

    def __init__(self, start: StartingPoint) -> None:
        self.start = start
        self.ready: deque[Path] = deque()
        self.building = 0
        self.wanted = 1


class CheckoutPool:
    """Keeps checkouts ready for the starting points used last. Thread-safe.

    Args:
        directory: Where prepared checkouts and trash lie; created. On one file system with the workspaces.
        build: Creates a directory with a checkout (`build_checkout`).
        prepared: How many to keep for one starting point, at most.
    """

    def __init__(
        self, directory: Path, build: Callable[[StartingPoint, Path], None], *, prepared: int = 8
    ) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._build = build
        self._prepared = prepared
        self._lock = threading.Lock()
        self._shelves: OrderedDict[Key, _Shelf] = OrderedDict()
        self._names = count()
        self._trash = 0
        self._abandoned: deque[Path] = deque()
        self._closed = False
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._worker = threading.Thread(target=self._work, name="git-checkouts", daemon=True)
        self._worker.start()

    def take(self, start: StartingPoint, destination: Path) -> None:
        """Move a fresh checkout of ``start`` to ``destination``, which must not exist.

        Raises:
            TrustedGitError: None was ready, and none could be built.
        """
        with self._lock:
            shelf = self._shelf(start)
            path = shelf.ready.popleft() if shelf.ready else None
            if path is None:
                shelf.wanted = min(2 * shelf.wanted, self._prepared)
        if path is None:
            path = self._fresh(start)
        path.rename(destination)
        self.prepare(start)

    def prepare(self, start: StartingPoint) -> None:
        """Have checkouts of ``start`` built in the background, as many as its use so far suggests."""
        with self._lock:
            shelf = self._shelf(start)
            missing = 0 if self._closed else shelf.wanted - len(shelf.ready) - shelf.building
            shelf.building += max(0, missing)
        for _ in range(missing):
            self._later(_SOON, partial(self._fill, shelf))

    def ready(self, start: StartingPoint) -> int:
        """How many checkouts of ``start`` wait to be taken."""
        with self._lock:
            shelf = self._shelves.get(start.key)
            return len(shelf.ready) if shelf else 0

    def discard(self, path: Path) -> None:
        """Take ``path`` out of sight at once, and remove it in the background."""
        trash = self._new_path()
        path.rename(trash)
        with self._lock:
            self._trash += 1
            behind = self._closed or self._trash > _MAX_TRASH
        if behind:
            self._remove(trash)  # whoever makes the waste faster than it can be removed waits for it
        else:
            self._later(_SOMETIME, partial(self._remove, trash))

    def abandon(self, path: Path) -> None:
        """Leave ``path`` to the next `sweep`. Takes no lock, so a finalizer may call it, anywhere."""
        self._abandoned.append(path)

    def sweep(self) -> None:
        """Discard what was abandoned so far."""
        while self._abandoned:
            try:
                path = self._abandoned.popleft()
            except IndexError:
                return  # another thread was quicker
            self.discard(path)

    def drain(self) -> None:
        """Wait until everything asked for so far is done."""
        done = threading.Event()
        self._later(_LAST, done.set)
        done.wait()

    def stop(self) -> None:
        """Build nothing more; what runs may fail from now on without a word."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(_Job(_LAST, next(self._names)))

    def join(self) -> None:
        """Wait for the thread's end after `stop`. What is prepared is the directory owner's to remove."""
        self._worker.join()

    def _shelf(self, start: StartingPoint) -> _Shelf:
        """The shelf of ``start``, as used last; the one not used for longest makes room."""
        shelf = self._shelves.setdefault(start.key, _Shelf(start))
        self._shelves.move_to_end(start.key)
        while len(self._shelves) > MAX_STARTING_POINTS:
            _, dropped = self._shelves.popitem(last=False)
            for path in dropped.ready:
                self._trash += 1
                self._later(_SOMETIME, partial(self._remove, path))
            dropped.ready.clear()
            dropped.wanted = 0
        return shelf

    def _new_path(self) -> Path:
        return self._directory / str(next(self._names))

    def _later(self, urgency: int, run: Callable[[], None]) -> None:
        self._jobs.put(_Job(urgency, next(self._names), run))

    def _work(self) -> None:
        while (run := self._jobs.get().run) is not None:
            try:
                run()
            except (TrustedGitError, OSError, subprocess.SubprocessError):
                if not self._closed:
                    # The session that needs the checkout builds its own and reports why that fails.
                    logger.exception("a background job of the checkout pool failed")

    def _fill(self, shelf: _Shelf) -> None:
        path = None
        try:
            if not self._closed and shelf.wanted:
                path = self._fresh(shelf.start)
        finally:
            with self._lock:
                shelf.building -= 1
                is_wanted = bool(shelf.wanted)  # it may have made room meanwhile
                if path is not None and is_wanted:
                    shelf.ready.append(path)
        if path is not None and not is_wanted:
            remove_tree(path)

    def _fresh(self, start: StartingPoint) -> Path:
        path = self._new_path()
        try:
            self._build(start, path)
        except BaseException:
            remove_tree(path)
            raise
        return path

    def _remove(self, path: Path) -> None:
        try:
            remove_tree(path)
        finally:
            with self._lock:
                self._trash -= 1


def remove_tree(path: Path) -> None:
    """Remove a tree that agents wrote, with ``rm``: they can make it too deep for a recursive function."""
    subprocess.run(["rm", "-rf", "--", str(path)], check=True, capture_output=True)
