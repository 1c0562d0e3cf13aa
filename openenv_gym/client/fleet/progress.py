"""Shows how a fleet's first start goes: a bar on a terminal, else lines in the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

logger = logging.getLogger(__name__)


class Meter(Protocol):
    """Is told how many servers are up."""

    def __call__(self, ready: int) -> None:
        """Show it."""
        ...


@contextmanager
def showing(name: str, size: int, wanted: bool | None) -> Iterator[Meter]:
    """Show the progress of a start while the block runs.

    Args:
        name: What is started.
        size: How many.
        wanted: Whether to draw a bar; ``None`` where there is a terminal to draw it on. There is none without
            the package ``rich``.
    """
    bar = _bar(wanted)
    if bar is None:
        yield _LogLines(name, size)
        return
    with bar:
        yield _Bar(bar, bar.add_task(f"starting {name}", total=size))


def _bar(wanted: bool | None) -> Progress | None:
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        return None
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def __call__(self, ready: int) -> None:
        self._bar.update(self._task, completed=ready)


class _LogLines:
    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._said = 0

    def __call__(self, ready: int) -> None:
        if ready > self._said:
            self._said = ready
            logger.info("%s: %d of %d servers are up", self._name, ready, self._size)
