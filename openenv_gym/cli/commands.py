"""Finds subcommands: this package's own, and those that installed packages contribute by entry point.

A package adds one with an entry point in the group ``openenv_gym.commands`` whose name is the subcommand's
and whose value is a module (or object) with the three members of :class:`Command`.
"""

from __future__ import annotations

import argparse
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

GROUP = "openenv_gym.commands"
_OWN = {
    "build": "openenv_gym.cli.build",
    "prune": "openenv_gym.cli.prune",
    "ps": "openenv_gym.cli.ps",
    "serve": "openenv_gym.cli.serve",
}


class Command(Protocol):
    """One subcommand."""

    summary: str
    """One line for the list of commands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options and arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; returns the exit status."""


def find_commands() -> dict[str, EntryPoint]:
    """Return all subcommands by name, none of them imported; no package can replace one of ours."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    found |= {name: EntryPoint(name, value, GROUP) for name, value in _OWN.items()}
    return dict(sorted(found.items()))


def load_command(point: EntryPoint) -> Command:
    """Import a subcommand.

    Raises:
        ImportError: It, or something that it needs, is not installed.
        AttributeError: The entry point names nothing.
    """
    return cast(Command, point.load())
