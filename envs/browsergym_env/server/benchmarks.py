"""BrowserGym's benchmarks: what each needs, which tasks it has, and which sites its pages load from."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gymnasium

from browsergym_env.server.reach import Reach
from browsergym_env.server.settings import BrowserGymSettings
from browsergym_env.server.static_site import StaticSite
from openenv_gym.errors import InvalidActionError, UsageError

_MINIWOB_HOST = "miniwob.localhost"  # a name of its own, so that addresses are the same in every session


@dataclass(frozen=True)
class _Kind:
    """One of BrowserGym's benchmarks.

    Attributes:
        package: What registers its tasks.
        sites: Environment variables that hold the addresses of its sites.
        others: Further ones that it needs.
        first_task: The task of a reset that names none; "" for the first of all.
        open_web: Its tasks are about the web at large.
    """

    package: str
    sites: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    first_task: str = ""
    open_web: bool = False


def _prefixed(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in names)


_KINDS: Mapping[str, _Kind] = {
    "miniwob": _Kind("browsergym.miniwob", first_task="click-test"),
    "webarena": _Kind(
        "browsergym.webarena",
        sites=_prefixed(
            "WA", "SHOPPING", "SHOPPING_ADMIN", "REDDIT", "GITLAB", "WIKIPEDIA", "MAP", "HOMEPAGE"
        ),
    ),
    "visualwebarena": _Kind(
        "browsergym.visualwebarena",
        sites=_prefixed("VWA", "SHOPPING", "REDDIT", "WIKIPEDIA", "HOMEPAGE", "CLASSIFIEDS"),
        others=("VWA_CLASSIFIEDS_RESET_TOKEN",),
    ),
    "workarena": _Kind(
        "browsergym.workarena",
        sites=("SNOW_INSTANCE_URL",),
        others=("SNOW_INSTANCE_UNAME", "SNOW_INSTANCE_PWD"),
    ),
    "assistantbench": _Kind("browsergym.assistantbench", open_web=True),
    "openended": _Kind("browsergym.core", sites=("BROWSERGYM_START_URL",)),
}


class Benchmark:
    """One benchmark, ready to make tasks of; `close` it.

    Args:
        settings: Which, and where MiniWoB's pages are.

    Raises:
        UsageError: There is no such benchmark, its package is not installed, or it is not told where its
            sites are; the message says what to do.
    """

    def __init__(self, settings: BrowserGymSettings) -> None:
        self.name = settings.benchmark
        self._kind = _kind(self.name)
        self._site: StaticSite | None = None
        self._task_arguments: dict[str, Any] = {}
        sites = [os.environ[variable] for variable in self._kind.sites]
        # WebArena's own convention: a site that is not set up yet.
        sites = [site for site in sites if site != "todo"] + list(settings.allowed_sites)
        aliases: dict[str, str] = {}
        if self.name == "miniwob":
            base_url = self._serve_miniwob(settings.miniwob_url, aliases)
            self._task_arguments["base_url"] = base_url
            sites += [] if aliases else [base_url]
        elif self.name == "openended":
            self._task_arguments["start_url"] = os.environ["BROWSERGYM_START_URL"]
            self._task_arguments["goal"] = os.environ.get("BROWSERGYM_GOAL")
        self.reach = Reach([*sites, "*"] if self._kind.open_web else sites, aliases)
        self.tasks = _registered(self.name)
        self.first_task = self._kind.first_task or self.tasks[0]

    def entry_point(self, task_name: str) -> Callable[..., Any]:
        """What makes a task of a seed.

        Raises:
            InvalidActionError: The benchmark has no such task.
        """
        if task_name not in self.tasks:
            known = ", ".join(self.tasks[:5])
            raise InvalidActionError(
                f"{self.name} has no task {task_name!r:.100}; its {len(self.tasks)} tasks are {known}, ..."
            )
        suffix = "" if self.name == "openended" else f".{task_name}"
        make = gymnasium.spec(f"browsergym/{self.name}{suffix}").entry_point
        assert callable(make)
        # The environment that BrowserGym registers for a task knows how to make it; nothing is started yet.
        registered: Any = make()
        task_class = registered.task_entrypoint
        return lambda seed: task_class(seed=seed, **self._task_arguments)

    def close(self) -> None:
        """Stop serving the pages."""
        if self._site is not None:
            self._site.close()
            self._site = None

    def _serve_miniwob(self, url: str, aliases: dict[str, str]) -> str:
        """Have MiniWoB's pages served, unless they are; give their base URL."""
        if url and urlsplit(url).scheme != "file":
            return url if url.endswith("/") else f"{url}/"
        pages = Path(unquote(urlsplit(url).path)) if url else _installed_miniwob()
        if not (pages / "click-test.html").is_file():
            raise UsageError(f"MINIWOB_URL={url!r}: {pages} does not hold MiniWoB's pages")
        # Their scripts are beside the folder, as ../core and ../common.
        self._site = StaticSite(pages.parent)
        aliases[f"{_MINIWOB_HOST}:80"] = self._site.address
        return f"http://{_MINIWOB_HOST}/{pages.name}/"


def _kind(name: str) -> _Kind:
    kind = _KINDS.get(name)
    if kind is None:
        raise UsageError(
            f"BROWSERGYM_BENCHMARK={name!r}: there is no such benchmark, only {', '.join(_KINDS)}"
        )
    needed = (*kind.sites, *kind.others)
    missing = [variable for variable in needed if not os.environ.get(variable)]
    if missing:
        raise UsageError(
            f"the benchmark {name} needs web sites of its own: set {', '.join(missing)} to where they are"
        )
    try:
        importlib.import_module(kind.package)
    except ImportError as error:
        distribution = kind.package.replace(".", "-")
        raise UsageError(
            f"the benchmark {name} is not installed here ({error}): pip install {distribution}"
        ) from error
    return kind


def _installed_miniwob() -> Path:
    found = importlib.util.find_spec("miniwob")
    if found is None or found.origin is None:
        raise UsageError("MiniWoB's pages are not installed: pip install miniwob, or set MINIWOB_URL")
    return Path(found.origin).parent / "html" / "miniwob"


def _registered(name: str) -> tuple[str, ...]:
    """The names of a benchmark's tasks, in its own order."""
    if name == "openended":
        return (name,)
    prefix = f"browsergym/{name}."
    return tuple(known.removeprefix(prefix) for known in gymnasium.registry if known.startswith(prefix))
