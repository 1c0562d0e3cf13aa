"""Sees to it that an image is on the engine, pulling it if the policy says so."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

from openenv_gym.errors import ProviderError
from openenv_gym.providers.docker.engine import Engine, NotOnEngineError
from openenv_gym.providers.docker.pull_progress import pull_display

PullPolicy = Literal["missing", "always", "never"]

_GLANCE = 0.1  # seconds between two looks at whether the pull is still wanted

_turns: dict[str, threading.Lock] = {}


def ensure_image(
    engine: Engine,
    name: str,
    *,
    policy: PullPolicy,
    platform: str | None,
    check_not_stopped: Callable[[], None],
) -> Mapping[str, Any]:
    """The engine's description of the image, which is there on return.

    Of several that start at once, one pulls and the others wait for it.

    Args:
        check_not_stopped: Called now and then while pulling; raises to give up.

    Raises:
        ProviderError: It is not there, and is not to be pulled or cannot be.
    """
    found = None if policy == "always" else _find(engine, name, platform)
    if found is None and policy != "never":
        with _turn(f"{engine.address.url} {name}", check_not_stopped):
            found = None if policy == "always" else _find(engine, name, platform)
            if found is None:
                _pull(engine, name, platform, check_not_stopped)
                found = _find(engine, name, None)
    if found is None:
        wanted = f"image {name!r}" + (f" for {platform}" if platform else "")
        raise ProviderError(
            f"there is no {wanted} on the Docker engine, and pull={policy!r} says not to pull it; "
            "build or load it there (an environment's own image: openenv-gym build), or allow it to be pulled"
        )
    return found


def _find(engine: Engine, name: str, platform: str | None) -> Mapping[str, Any] | None:
    """The engine's description of the image, if it is there and for that platform."""
    try:
        with engine.asked(f"the image {name!r} cannot be looked at"):
            found = cast(Mapping[str, Any], engine.api.inspect_image(name))
    except NotOnEngineError:
        return None
    own = [found.get("Os"), found.get("Architecture"), found.get("Variant")]
    wanted = platform.split("/") if platform is not None else []
    return found if all(a == b for a, b in zip(wanted, own, strict=False)) else None


@contextmanager
def _turn(key: str, check_not_stopped: Callable[[], None]) -> Iterator[None]:
    lock = _turns.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=_GLANCE):
        check_not_stopped()
    try:
        yield
    finally:
        lock.release()


def _pull(engine: Engine, name: str, platform: str | None, check_not_stopped: Callable[[], None]) -> None:
    """Pull in a thread of its own: neither `stop` nor Ctrl-C has to wait for the registry's next word."""
    events: queue.SimpleQueue[Mapping[str, Any] | BaseException | None] = queue.SimpleQueue()
    given_up = threading.Event()

    def pull() -> None:
        try:
            for event in engine.api.pull(_with_tag(name), stream=True, decode=True, platform=platform):
                if given_up.is_set():
                    return  # closes the connection, which ends the engine's pull
                events.put(event)
            events.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            events.put(error)

    threading.Thread(target=pull, name=f"pull {name}", daemon=True).start()
    doing = f"the image {name!r} is not on the Docker engine and cannot be pulled"
    try:
        with engine.asked(doing, _advice), pull_display(name) as show:
            while True:
                try:
                    event = events.get(timeout=_GLANCE)
                except queue.Empty:
                    check_not_stopped()
                    continue
                if event is None:
                    return
                if isinstance(event, BaseException):
                    raise event
                if "error" in event:
                    raise ProviderError(f"{doing}: {event['error']}; {_advice(str(event['error']))}")
                show(event)
    finally:
        given_up.set()


def _advice(explanation: str) -> str:
    """What to do about a pull that failed."""
    if "denied" in explanation or "unauthorized" in explanation or "authentication" in explanation:
        return "is the name right, and does it need a `docker login`?"
    return (
        "is the name right? An image that is in no registry has to be built or loaded here (an environment's "
        "own: openenv-gym build)"
    )


def _with_tag(name: str) -> str:
    """The name, so that one image is pulled and not all tags of it."""
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"
