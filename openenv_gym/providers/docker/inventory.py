"""Lists what providers made on an engine, by its labels, and removes what dead owners left there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from openenv_gym.errors import ProviderError
from openenv_gym.providers.docker.engine import Engine, NotOnEngineError, connect
from openenv_gym.providers.docker.engine_address import find_engine
from openenv_gym.providers.docker.labels import NAME, OWNER, PROVIDER, SESSION, Owner

Kind = Literal["container", "service", "network", "volume"]

_FILTER = {"label": [OWNER]}
_NO_SWARM = 503  # what an engine answers that manages no swarm


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on an engine that a provider made.

    Attributes:
        kind: What it is.
        name: Its name on the engine.
        server: What its ``ServerSpec`` calls the server; "" if the label is missing, as with the next two.
        provider: The provider's class.
        session: The owning process's random id.
        owner: The process that it is to end with; ``None`` if its label cannot be read.
        status: The engine's word for how it is, for example ``"Up 5 minutes (healthy)"``; may be "".
        image: What a container or service runs, else "".
        base_url: Where its server is reached from here, if the engine publishes a port of it, else "".
        created: When it was made.
    """

    kind: Kind
    name: str
    server: str
    provider: str
    session: str
    owner: Owner | None
    status: str
    image: str
    base_url: str
    created: datetime

    @property
    def owner_lives(self) -> bool | None:
        """Whether the owner still runs; ``None`` if that cannot be told from here: on another host."""
        return None if self.owner is None else self.owner.alive


def inventory(engine: str | None = None) -> list[Item]:
    """Everything on the engine that a provider made, whichever process it was, oldest first.

    Args:
        engine: The engine's URL; by default the one that `DockerProvider` uses.

    Raises:
        MissingExtraError: The Docker SDK is not installed.
        ProviderError: The engine is out of reach.
    """
    connection = connect(find_engine(engine))
    with connection.asked("what is on the engine cannot be listed"):
        lists = [listed(connection) for listed in (_containers, _services, _networks, _volumes)]
        return sorted(itertools.chain(*lists), key=lambda item: item.created)


def prune(engine: str | None = None, *, unknown: bool = False) -> list[Item]:
    """Remove what dead owners left; return what was removed.

    What living processes own stays, and what another host's do: whether those live cannot be told from here.

    Args:
        engine: The engine's URL; by default the one that `DockerProvider` uses.
        unknown: Whether to remove also what belongs to owners of whom it cannot be told if they live.

    Raises:
        MissingExtraError: The Docker SDK is not installed.
        ProviderError: The engine is out of reach, or would not remove something; all else is removed.
    """
    dead: tuple[bool | None, ...] = (False, None) if unknown else (False,)
    return remove([item for item in inventory(engine) if item.owner_lives in dead], engine)


def remove(items: Sequence[Item], engine: str | None = None) -> list[Item]:
    """Remove things, whoever uses them; return those that were removed.

    Args:
        items: Of that engine's `inventory`.
        engine: The engine's URL; by default the one that `DockerProvider` uses.

    Raises:
        ProviderError: The engine is out of reach, or would not remove something; all else is removed.
    """
    connection = connect(find_engine(engine))
    # Networks and volumes can go only after the containers that use them.
    order = ("service", "container", "network", "volume")
    removed, problems = [], []
    for item in sorted(items, key=lambda item: order.index(item.kind)):
        try:
            _remove(connection, item)
            removed.append(item)
        except ProviderError as error:
            problems.append(str(error))
    if problems:
        raise ProviderError("\n".join([f"{len(removed)} of {len(items)} were removed:", *problems]))
    return removed


def _remove(engine: Engine, item: Item) -> None:
    remove: dict[Kind, Callable[[], None]] = {
        "container": lambda: engine.remove_container(item.name),
        "service": lambda: engine.api.remove_service(item.name),
        "network": lambda: engine.api.remove_network(item.name),
        "volume": lambda: engine.api.remove_volume(item.name),
    }
    try:
        with engine.asked(f"the {item.kind} {item.name} cannot be removed"):
            remove[item.kind]()
    except NotOnEngineError:
        return  # somebody was faster


def _containers(engine: Engine) -> Iterator[Item]:
    for found in engine.api.containers(all=True, filters=_FILTER):
        name = found["Names"][0].removeprefix("/")
        published = [port["PublicPort"] for port in found.get("Ports") or () if "PublicPort" in port]
        url = f"http://{engine.address.host}:{published[0]}" if published else ""
        created = datetime.fromtimestamp(found["Created"], UTC)
        yield _item("container", name, found["Labels"], created, found["Status"], found["Image"], url)


def _services(engine: Engine) -> Iterator[Item]:
    from docker.errors import APIError

    try:
        services = engine.api.services(filters=_FILTER)
    except APIError as error:
        if error.status_code == _NO_SWARM:
            return
        raise
    for found in services:
        spec = found["Spec"]
        image = spec["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0]
        yield _item("service", spec["Name"], spec["Labels"], _time(found["CreatedAt"]), "", image)


def _networks(engine: Engine) -> Iterator[Item]:
    for found in engine.api.networks(filters=_FILTER):
        yield _item("network", found["Name"], found["Labels"], _time(found["Created"]))


def _volumes(engine: Engine) -> Iterator[Item]:
    for found in engine.api.volumes(filters=_FILTER)["Volumes"] or ():
        yield _item("volume", found["Name"], found["Labels"], _time(found["CreatedAt"]))


def _item(
    kind: Kind,
    name: str,
    labels: Mapping[str, Any],
    created: datetime,
    status: str = "",
    image: str = "",
    url: str = "",
) -> Item:
    return Item(
        kind=kind,
        name=name,
        server=labels.get(NAME, ""),
        provider=labels.get(PROVIDER, ""),
        session=labels.get(SESSION, ""),
        owner=Owner.parse(labels.get(OWNER, "")),
        status=status,
        image=image,
        base_url=url,
        created=created,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
