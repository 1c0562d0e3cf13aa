"""`openenv-gym prune`: removes what processes left on the engine that are no more."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from openenv_gym.cli.ps import add_engine_argument, other_items
from openenv_gym.cli.tables import Table, show
from openenv_gym.errors import UsageError

if TYPE_CHECKING:
    from openenv_gym.providers.docker.inventory import Item

summary = "remove containers, networks and volumes that outlived their owner"

_DECLINED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these; default: whatever there is")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also what belongs to processes of which it cannot be told here if they live: those on another "
        "machine, or in a container",
    )
    parser.add_argument("--force", action="store_true", help="also what living processes use right now")
    add_engine_argument(parser)


def run(options: argparse.Namespace) -> int:
    """List it, ask, and remove it."""
    from openenv_gym.providers.docker.inventory import inventory, remove

    named = _named(inventory(options.engine), options.names)
    chosen = [item for item in named if _may_go(item, options)]
    notes = []
    if kept := sum(item.owner_lives is True for item in named if item not in chosen):
        notes.append(f"{kept} stay: their owners live")
    if kept := sum(item.owner_lives is None for item in named if item not in chosen):
        notes.append(f"{kept} stay: whether their owners live cannot be told from here (--all)")
    if not chosen:
        notes.append("Nothing to remove")
    tables = [other_items("To be removed", chosen, time.time())] if chosen else []
    show([*tables, *(Table("", note=note) for note in notes)])
    if not chosen:
        return 0
    if not options.yes and not _agreed(len(chosen)):
        return _DECLINED
    show([Table("", note=f"Removed {len(remove(chosen, options.engine))}")])
    return 0


def _named(found: Sequence[Item], names: Sequence[str]) -> list[Item]:
    if unknown := sorted(set(names) - {item.name for item in found}):
        raise UsageError(f"no provider made {', '.join(unknown)}: `openenv-gym ps` shows what there is")
    return [item for item in found if not names or item.name in names]


def _may_go(item: Item, options: argparse.Namespace) -> bool:
    if item.owner_lives is None:
        return bool(options.all or options.force)
    return bool(options.force) or not item.owner_lives


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        sys.stderr.write("openenv-gym prune: nobody is here to be asked; --yes removes it unasked\n")
        return False
    question = f"Remove {'it' if count == 1 else f'these {count}'}? [y/N] "
    return input(question).strip().lower() in ("y", "yes")
