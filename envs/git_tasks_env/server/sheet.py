"""Sheet: a text file with slots - lines far enough apart that changes of two never get in each other's way.

A version of a file is its original text with some slots changed, so what a merge, a revert or a cherry-pick
must lead to is known without running one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

MIN_BYTES, MAX_BYTES = 120, 20_000
MIN_SLOTS = 3
_MAX_SLOTS = 12
# More than the three lines of context of a patch, on both sides.
_DISTANCE = 8
_LEAST_LINE, _MOST_LINE = 4, 400
_COMMENTS = {
    "#": (".py", ".sh", ".yml", ".yaml", ".toml", ".rb", ".pl", ".cfg", ".mk", ".r", ".conf"),
    "//": (".c", ".h", ".cc", ".cpp", ".hpp", ".java", ".js", ".ts", ".go", ".rs", ".swift", ".kt", ".cs"),
    "--": (".sql", ".lua", ".hs"),
    ";": (".ini", ".el", ".lisp"),
}
_VOCABULARY = """
amber basin cedar delta ember fjord grove harbor island juniper kelp lagoon meadow nectar orchard
pebble quarry ridge saffron timber umbra valley willow yarrow zephyr anchor beacon copper dune
estuary falcon granite heron indigo jasper kestrel lantern marble
"""
_WORDS = tuple(_VOCABULARY.split())


@dataclass(frozen=True)
class Sheet:
    """A text file of a repository.

    Attributes:
        path: Where it is.
        mode: As git writes it.
        lines: Its lines, without their ends; the last ends as the others do.
        slots: Numbers of the lines that may change, counted from 0.
    """

    path: str
    mode: str
    lines: tuple[str, ...]
    slots: tuple[int, ...]

    def text(self, changes: Mapping[int, str]) -> str:
        """The file with some of its slots changed."""
        return "".join(changes.get(number, line) + "\n" for number, line in enumerate(self.lines))


def make_sheet(path: str, mode: str, data: bytes) -> Sheet | None:
    """Make a sheet of a file's content; None where it is no text, or too short."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text or "\r" in text or not text.endswith("\n"):
        return None
    lines = tuple(text.removesuffix("\n").split("\n"))
    seen = Counter(lines)
    slots: list[int] = []
    for number, line in enumerate(lines):
        # A line that occurs once is where a diff must begin and end.
        is_own = seen[line] == 1 and len(line.strip()) >= _LEAST_LINE and len(line) <= _MOST_LINE
        # Never the first: a program's interpreter, an encoding, an XML head.
        if is_own and line.isprintable() and number and (not slots or number - slots[-1] >= _DISTANCE):
            slots.append(number)
    return Sheet(path, mode, lines, tuple(slots[:_MAX_SLOTS])) if len(slots) >= MIN_SLOTS else None


def generated_sheet(path: str, rng: random.Random) -> Sheet:
    """Make a file for a repository that has too few."""
    lines = tuple(f"{number:02d} {words(rng, 5)}" for number in range(1, 61))
    sheet = make_sheet(path, "100644", "".join(f"{line}\n" for line in lines).encode())
    assert sheet is not None
    return sheet


def new_line(sheet: Sheet, slot: int, rng: random.Random) -> str:
    """A line for a slot that no file holds yet, indented as the one that it replaces."""
    old = sheet.lines[slot]
    indent = old[: len(old) - len(old.lstrip())]
    suffix = PurePosixPath(sheet.path).suffix.lower()
    mark = next((f"{mark} " for mark, suffixes in _COMMENTS.items() if suffix in suffixes), "")
    return f"{indent}{mark}{words(rng, 4)} {rng.randrange(10**6, 10**7)}"


def words(rng: random.Random, count: int) -> str:
    """Some words."""
    return " ".join(rng.choice(_WORDS) for _ in range(count))
