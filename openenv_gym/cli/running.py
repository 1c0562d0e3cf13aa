"""What runs on this machine and whose it is: what engines hold, by labels, and fleets, by what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import MissingExtraError, ProviderError

if TYPE_CHECKING:
    from openenv_gym.client.fleet.status import FleetStatus, ServerStatus
    from openenv_gym.providers.docker.inventory import Item

_COMMAND_LENGTH = 60  # characters


@dataclass(frozen=True, slots=True)
class Running:
    """What was found in one look.

    Attributes:
        items: What providers made on the engine, oldest first.
        fleets: The fleets of this user's processes.
        problem: Why the engine could not be looked at; "" if it was.
    """

    items: list[Item] = field(default_factory=list)
    fleets: list[FleetStatus] = field(default_factory=list)
    problem: str = ""

    @classmethod
    def look(cls, engine: str | None) -> Running:
        """Look now; the engine is the one at this URL, by default the one that `DockerProvider` uses."""
        from openenv_gym.client.fleet.status_file import read_fleets
        from openenv_gym.providers.docker.inventory import inventory

        fleets = read_fleets()
        try:
            return cls(inventory(engine), fleets)
        except (MissingExtraError, ProviderError) as error:
            return cls([], fleets, str(error))

    def places(self) -> Mapping[tuple[int, str], ServerStatus]:
        """The fleets' servers, by their process's number and their URL."""
        return {
            (fleet.pid, server.url): server for fleet in self.fleets for server in fleet.servers if server.url
        }

    def as_json(self) -> dict[str, Any]:
        """The same for programs: dicts, lists, text, numbers; times in seconds since the epoch."""
        places = self.places()
        return {
            "items": [_item_as_json(item, places) for item in self.items],
            "fleets": [asdict(fleet) | {"command": command_of(fleet.pid)} for fleet in self.fleets],
            "problem": self.problem,
        }


def command_of(pid: int) -> str:
    """A process's command, without the path of its program; "" when there is none to see."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return ""
    command = " ".join([Path(words[0]).name, *words[1:]])
    return command if len(command) <= _COMMAND_LENGTH else f"{command[: _COMMAND_LENGTH - 1]}…"


def _item_as_json(item: Item, places: Mapping[tuple[int, str], ServerStatus]) -> dict[str, Any]:
    owner = item.owner
    place = None if owner is None else places.get((owner.pid, item.base_url))
    return {
        "kind": item.kind,
        "name": item.name,
        "server": item.server,
        "provider": item.provider,
        "image": item.image,
        "status": item.status,
        "base_url": item.base_url,
        "created": item.created.timestamp(),
        "owner": None if owner is None else {"pid": owner.pid, "command": _owner_command(item)},
        "owner_lives": item.owner_lives,
        "sessions": None if place is None else place.sessions,
        "capacity": None if place is None else place.capacity,
    }


def _owner_command(item: Item) -> str:
    return command_of(item.owner.pid) if item.owner is not None and item.owner_lives else ""
