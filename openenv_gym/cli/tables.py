"""Tables on the terminal: rich draws them where it is installed, elsewhere they are plain text."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from openenv_gym.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Group

_GAP = "  "
_COLOURS = {"good": "green", "bad": "red", "dim": "dim", "": ""}


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a table.

    Attributes:
        text: One line.
        mood: "good", "bad", "dim" or "": its colour, where there are colours.
    """

    text: str
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        title: What the rows are.
        headings: One a column; a column is broken over lines only if its heading ends with ``~``.
        rows: As many cells each as there are headings.
        note: What is to be said below it, or alone; may be empty.
    """

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    note: str = ""


def show(tables: Sequence[Table], out: TextIO | None = None) -> None:
    """Print tables: to a terminal with colours and to its width, into a pipe as text with one line a row."""
    out = out or sys.stdout
    if out.isatty():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            Console(file=out, highlight=False).print(_drawn(tables))
            return
    out.write("\n".join(map(_plain, tables)))


def watch(look: Callable[[], Sequence[Table]], interval: float) -> None:
    """Show tables and keep them up to date until Ctrl-C.

    Args:
        look: Makes the tables anew.
        interval: Seconds between two looks.

    Raises:
        MissingExtraError: There is no rich.
    """
    try:
        from rich.live import Live
    except ImportError as error:
        raise MissingExtraError("--watch", "cli") from error
    with Live(_drawn(look()), auto_refresh=False, screen=sys.stdout.isatty()) as live:
        try:
            while True:
                time.sleep(interval)
                live.update(_drawn(look()), refresh=True)
        except KeyboardInterrupt:
            return


def _drawn(tables: Sequence[Table]) -> Group:
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[RichTable | Text] = []
    for table in tables:
        if table.rows:
            drawn = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
            for heading in table.headings:
                drawn.add_column(heading.rstrip("~"), no_wrap=not heading.endswith("~"), overflow="fold")
            for row in table.rows:
                drawn.add_row(*(Text(_printable(cell.text), _COLOURS[cell.mood]) for cell in row))
            parts += [Text(_printable(table.title), "bold"), drawn]
        if table.note:
            parts.append(Text(_printable(table.note), "yellow"))
    return Group(*parts)


def _plain(table: Table) -> str:
    lines = []
    if table.rows:
        grid = [[heading.rstrip("~") for heading in table.headings]]
        grid += [[_printable(cell.text) for cell in row] for row in table.rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines.append(_printable(table.title))
        for row in grid:
            padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            lines.append(_GAP.join(padded).rstrip())
    if table.note:
        lines.append(_printable(table.note))
    return "\n".join([*lines, ""])


def _printable(text: str) -> str:
    """Without what a terminal would obey: names and commands are anybody's."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
