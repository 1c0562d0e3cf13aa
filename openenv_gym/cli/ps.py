"""`openenv-gym ps`: shows the servers that run in containers, the fleets, and whose they are."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from openenv_gym.cli.running import Running, command_of
from openenv_gym.cli.tables import Cell, Table, show, watch

if TYPE_CHECKING:
    from openenv_gym.client.fleet.status import FleetStatus, ServerStatus
    from openenv_gym.providers.docker.inventory import Item

summary = "show what runs in containers and fleets, and whose it is"

_SERVERS = ("container", "service")
_MOODS = {"ready": "good", "starting": "", "draining": "", "hung": "bad", "dead": "bad", "broken": "bad"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=1.0,
        metavar="SECONDS",
        help="keep the view up to date, until Ctrl-C (every second)",
    )
    parser.add_argument("--json", action="store_true", help="print it for programs")
    add_engine_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Show it, once or until told to stop."""
    if options.json:
        json.dump(Running.look(options.engine).as_json(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif options.watch is not None:
        watch(lambda: tables(Running.look(options.engine), time.time()), options.watch)
    else:
        show(tables(Running.look(options.engine), time.time()))
    return 0


def add_engine_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the engine."""
    parser.add_argument("--engine", metavar="URL", help="the Docker engine; default: the `docker` command's")


def tables(running: Running, now: float) -> list[Table]:
    """What was found, as tables.

    Args:
        running: What was found.
        now: The time, in seconds since the epoch.
    """
    servers = [item for item in running.items if item.kind in _SERVERS]
    others = [item for item in running.items if item.kind not in _SERVERS]
    shown = [
        _server_table(list(group), running.places(), now)
        for _, group in itertools.groupby(sorted(servers, key=_owner_key), key=_owner_key)
    ]
    if others:
        shown.append(other_items("Networks and volumes", others, now))
    shown += [_fleet_table(fleet, now) for fleet in running.fleets]
    if running.problem:
        shown.append(Table("", note=running.problem))
    elif not servers:
        shown.append(Table("", note="No containers"))
    if left := sum(item.owner_lives is False for item in running.items):
        shown.append(Table("", note=f"{left} outlived the owner: `openenv-gym prune` removes what did"))
    return shown


def other_items(title: str, items: list[Item], now: float) -> Table:
    """Things of any kind, with what all of them have."""
    rows = [
        (Cell(item.kind), Cell(item.name), Cell(age(item.created.timestamp(), now)), Cell(owner(item)))
        for item in items
    ]
    return Table(title, ("KIND", "NAME~", "AGE", "OWNER~"), rows)


def owner(item: Item) -> str:
    """Whose it is: the process's number and command, or why it has none."""
    if item.owner is None:
        return "nobody knows whom"
    if item.owner_lives is None:
        return f"{item.owner.pid} on another machine, or in a container"
    if not item.owner_lives:
        return f"{item.owner.pid}, which is gone"
    return f"{item.owner.pid} {command_of(item.owner.pid)}".rstrip()


def age(since: float, now: float) -> str:
    """How long ago, in the two largest units.

    >>> age(0, 5), age(0, 65), age(0, 3 * 3600 + 120), age(0, 90000)
    ('5s', '1m05s', '3h02m', '1d01h')
    """
    minutes, seconds = divmod(max(0, int(now - since)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def _owner_key(item: Item) -> str:
    return str(item.owner)


def _server_table(items: list[Item], places: Mapping[tuple[int, str], ServerStatus], now: float) -> Table:
    rows = []
    for item in items:
        place = places.get((item.owner.pid, item.base_url)) if item.owner is not None else None
        row = (
            Cell(item.name),
            Cell(item.image),
            _state_cell(item) if place is None else _place_cell(place),
            Cell("" if place is None else _sessions(place)),
            Cell(item.base_url.rpartition(":")[2]),
            Cell(age(item.created.timestamp(), now)),
        )
        rows.append(row)
    headings = ("NAME~", "IMAGE~", "STATE", "SESSIONS", "PORT", "AGE")
    return Table(f"Containers of {owner(items[0])}", headings, rows)


def _state_cell(item: Item) -> Cell:
    """The engine's word for it in one word.

    The engine says "Up 5 minutes (healthy)", "Up 2 hours (Paused)", "Exited (137) 3 seconds ago", "Created".
    """
    if item.kind == "service":
        return Cell("service")
    word, _, rest = item.status.partition(" ")
    bracket = re.search(r"\((?:health: )?([^)]*)\)", rest)
    inner = bracket[1].lower() if bracket else ""
    if word == "Up":
        if inner in ("unhealthy", "paused"):
            return Cell(inner, "bad")
        return Cell("healthy" if inner == "healthy" else "up", "good")  # a check yet to be made says nothing
    return Cell(f"{word.lower()} {inner}".strip(), "bad" if word in ("Exited", "Dead") else "")


def _fleet_table(fleet: FleetStatus, now: float) -> Table:
    ready = sum(server.state == "ready" for server in fleet.servers)
    sessions = sum(server.sessions for server in fleet.servers)
    title = (
        f"Fleet {fleet.name}: {ready} of {fleet.target} servers ready, {sessions} sessions, "
        f"{fleet.waiting} waiting, {age(fleet.since, now)} old, of {fleet.pid} {command_of(fleet.pid)}"
    )
    rows = [
        (
            Cell(server.name),
            _place_cell(server),
            Cell(age(server.since, now)),
            Cell(_sessions(server)),
            Cell(str(server.restarts)),
            Cell(server.url.rpartition(":")[2]),
            Cell(" ".join(server.last_error.split()), "bad"),
        )
        for server in fleet.servers
    ]
    headings = ("SERVER", "STATE", "FOR", "SESSIONS", "RESTARTS", "PORT", "LAST ERROR~")
    return Table(title, headings, rows, note=fleet.trouble)


def _place_cell(server: ServerStatus) -> Cell:
    return Cell(str(server.state), _MOODS.get(server.state, ""))


def _sessions(server: ServerStatus) -> str:
    return str(server.sessions) if server.capacity is None else f"{server.sessions}/{server.capacity}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("a number of seconds above 0")
    return seconds
