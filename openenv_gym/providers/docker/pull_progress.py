"""Shows on a terminal how far the pull of an image is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LINE_EVERY = 5.0  # seconds between two lines, where there are no bars
_MEBIBYTE = 1 << 20

Show = Callable[[Mapping[str, Any]], None]


@contextmanager
def pull_display(image: str) -> Iterator[Show]:
    """What to call with each of the engine's events; shows nothing where stderr is no terminal.

    A bar a layer with ``rich``, else a line now and then.
    """
    if not sys.stderr.isatty():
        yield lambda event: None
        return
    try:
        import rich  # noqa: F401 - an extra; asked for here so that nothing else is mistaken for its absence
    except ImportError:
        yield PullLines(image, time.monotonic)
        return
    with _bars(image) as show:
        yield show


@contextmanager
def _bars(image: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.console.print(f"pulling {image}", highlight=False, markup=False)
        bars: dict[str, Any] = {}

        def show(event: Mapping[str, Any]) -> None:
            layer, detail = event.get("id"), event.get("progressDetail") or {}
            if layer is None or (layer not in bars and "current" not in detail):
                return
            if layer not in bars:
                bars[layer] = progress.add_task(layer, total=None)
            progress.update(bars[layer], description=f"{layer} {event.get('status', '').lower()}")
            if "current" in detail:
                progress.update(bars[layer], completed=detail["current"], total=detail.get("total"))
            elif event.get("status") in ("Download complete", "Pull complete"):
                total = progress.tasks[progress.task_ids.index(bars[layer])].total
                progress.update(bars[layer], completed=total or 0)

        yield show


class PullLines:
    """A line on stderr when something was pulled for a while.

    Args:
        image: What is pulled.
        clock: Tells seconds.
    """

    def __init__(self, image: str, clock: Callable[[], float]) -> None:
        self._image = image
        self._clock = clock
        self._next = clock()
        self._layers: dict[str, tuple[int, int]] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take note of an event."""
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and "current" in detail:
            self._layers[event.get("id", "")] = detail["current"], detail.get("total") or detail["current"]
        if self._clock() >= self._next:
            self._next = self._clock() + _LINE_EVERY
            print(self.line(), file=sys.stderr)

    def line(self) -> str:
        """How far it is."""
        done = sum(current for current, _ in self._layers.values()) / _MEBIBYTE
        total = sum(total for _, total in self._layers.values()) / _MEBIBYTE
        return f"pulling {self._image}: {done:.0f} of {total:.0f} MiB"
