"""Draws the main curve, steps a second over sessions, from the JSON that ``throughput.py`` wrote.

Usage: .venv/bin/python benchmarks/plot.py throughput.json throughput.png

Needs matplotlib, the dependency group ``bench``; `make bench-plot` sees to it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

_INK, _GRID = "#333333", "#e3e3e3"
_LINE_HEIGHT = 0.055  # of a line of text, in heights of the plot


class Line(NamedTuple):
    """How a contender is drawn; the colours are Okabe and Ito's, told apart by all kinds of eyes."""

    label: str
    colour: str
    style: str = "-"
    width: float = 1.8


LINES = {
    "a bare loop on one WebSocket": Line("limit: a bare loop\non one WebSocket", "#777777", "--", 1.4),
    "RemoteVectorEnv, our server": Line("openenv-gym", "#D55E00", "-", 3.0),
    "Gymnasium's AsyncVectorEnv, local": Line("Gymnasium AsyncVectorEnv,\nlocal processes", "#009E73"),
    "bare WebSockets": Line("bare WebSockets,\none a session", "#CC79A7", "--", 1.4),
    "OpenEnv's clients, OpenEnv's server": Line("OpenEnv 0.10.0", "#0072B2"),
}


def main() -> None:
    """Draw the plot."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("source", type=Path, help="the JSON of throughput.py")
    command.add_argument("target", type=Path, help="the image to write")
    options = command.parse_args()
    measured = json.loads(options.source.read_text())
    with mpl.rc_context({"font.size": 10, "font.family": "DejaVu Sans", "text.color": _INK}):
        draw(curves(measured["samples"]), measured["machine"]).savefig(options.target, dpi=110)


def curves(samples: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, list[tuple[int, float]]]:
    """Take the median rate of each contender, by sessions."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in LINES}
    for sessions, by_name in samples.items():
        for name in found.keys() & by_name.keys():
            found[name].append((int(sessions), statistics.median(one["rate"] for one in by_name[name])))
    return {name: sorted(points) for name, points in found.items() if points}


def draw(curves: dict[str, list[tuple[int, float]]], machine: dict[str, Any]) -> Figure:
    """Draw one line a contender, each with its name at its end."""
    figure = Figure(figsize=(8.2, 4.6), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves.items():
        line = LINES[name]
        axes.plot(*zip(*points, strict=True), line.style, color=line.colour, lw=line.width, marker="o", ms=4)
    sessions = sorted({count for points in curves.values() for count, _ in points})
    axes.set(xscale="log", yscale="log", xlabel="sessions stepped together", xlim=(0.85, sessions[-1] * 13))
    axes.set_title("Echo environment, steps a second", loc="left", fontweight="bold")
    axes.set_title(
        f"{machine['cores']} cores for servers and clients, Python {machine['python']}",
        loc="right",
        fontsize=8,
    )
    axes.xaxis.set_major_locator(FixedLocator(sessions))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, colors=_INK)
    label_ends(axes, curves, sessions[-1])
    return figure


def label_ends(axes: Axes, curves: dict[str, list[tuple[int, float]]], right: int) -> None:
    """Write each line's name to the right of its end, moved up where the next lower one is in the way."""
    to_height = axes.transData + axes.transAxes.inverted()
    ends = sorted((to_height.transform(points[-1])[1], name) for name, points in curves.items())
    free = 0.0  # height above which nothing is written yet
    for height, name in ends:
        line = LINES[name]
        half = _LINE_HEIGHT * (1 + line.label.count("\n")) / 2
        middle = max(height, free + half)
        free = middle + half
        where = axes.transData.inverted().transform(axes.transAxes.transform((0, middle)))[1]
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(right * 1.4, where, line.label, color=line.colour, va="center", bbox=behind)


if __name__ == "__main__":
    main()
