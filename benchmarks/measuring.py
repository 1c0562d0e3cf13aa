"""What the benchmarks share: alternating rounds, ratios with their spread, the machine, tables and JSON.

A shared machine changes its speed within seconds, so absolute figures of two runs say little. Here every
contender is measured in every round, in changing order, and compared round by round: the ratio of two figures
taken within a second or two survives a noisy neighbour.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

_Figure = TypeVar("_Figure")

PACKAGES = ("openenv", "websockets", "uvicorn", "uvloop", "starlette", "pydantic", "msgspec", "gymnasium")


def parser(description: str | None, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """Make the command line that all benchmarks have; the defaults are the short form.

    Args:
        description: The script's docstring.
        rounds: How often each contender is measured.
        seconds: How long each time.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rounds", type=int, default=rounds, help=f"rounds (default: {rounds})")
    made.add_argument(
        "--seconds", type=float, default=seconds, help=f"seconds a contender and round (default: {seconds:g})"
    )
    made.add_argument("--json", metavar="FILE", help="write every single figure there")
    return made


def rate(call: Callable[[], object], seconds: float, steps_per_call: int = 1) -> float:
    """Call again and again for some seconds.

    Returns:
        Steps a second.
    """
    call()  # the first one pays for what is made at first use
    calls, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        call()
        calls += 1
    return calls * steps_per_call / elapsed


def alternate(contenders: Mapping[str, Callable[[], _Figure]], rounds: int) -> dict[str, list[_Figure]]:
    """Measure every contender once a round, the order turned by one each round.

    Returns:
        Each contender's figures, by round.
    """
    figures: dict[str, list[_Figure]] = {name: [] for name in contenders}
    names = list(contenders)
    for index in range(rounds):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            figures[name].append(contenders[name]())
    return figures


def ratios(figures: Sequence[float], base: Sequence[float]) -> list[float]:
    """Divide figure by figure, each by the one of the same round."""
    return [figure / other for figure, other in zip(figures, base, strict=True)]


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Write values as ``median (min-max)``."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table in columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    marks = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        return " | ".join(["| " + first, *map(str.rjust, cells[1:], widths[1:])]) + " |"

    return "\n".join([line(header), line(marks), *map(line, rows)])


def machine() -> dict[str, Any]:
    """Describe what the figures were taken on: processor, load, versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": versions,
    }


def describe(facts: Mapping[str, Any]) -> str:
    """Write `machine` as one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    return (
        f"{facts['date']}; {facts['cores']} cores of {facts['processor']}, load {facts['load_average']:.1f}; "
        f"Python {facts['python']}, {versions}"
    )


def write_json(path: str | None, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Write the figures with the machine's description, if a path was given."""
    if path is not None:
        Path(path).write_text(json.dumps({"machine": facts, **figures}, indent=2) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
