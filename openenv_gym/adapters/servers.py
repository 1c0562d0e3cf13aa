"""Where an environment's servers come from: a URL, a provider, or the embedded default."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openenv_gym.adapters.interface import Interface
from openenv_gym.client.dialects import Dialect
from openenv_gym.client.pool import SessionPool
from openenv_gym.client.schemas import fetch_schema, fetch_tools, takes_tool_calls
from openenv_gym.errors import MissingExtraError, NotSupportedError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.server.engine_table import engine_of


class Servers:
    """Running servers, and how to give them back.

    Args:
        endpoints: At least one.
        give_back: Gives back what was started for the caller; does nothing for a ``base_url``.

    Attributes:
        endpoints: As given.
    """

    def __init__(self, endpoints: tuple[Endpoint, ...], give_back: Callable[[], None]) -> None:
        self.endpoints = endpoints
        self._give_back = give_back
        self._users = 1
        self._lock = threading.Lock()

    def share(self) -> None:
        """Count another user, who calls `release` too."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Give the servers back with the last user's call; each calls it once."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._give_back()


def find_servers(
    base_url: str | Sequence[str] | None,
    provider: Provider | None,
    server: str | None,
    *,
    token: str | None = None,
    image: str | None = None,
    extra: str | None = None,
    workers: int = 1,
) -> Servers:
    """Apply the one rule: ``base_url`` (one or several), else ``provider``, else the embedded default.

    Args:
        base_url: Servers that run already.
        provider: Starts the server now; stopped on release.
        server: The environment's ASGI app as an import string, or ``engine:ID``, for providers that run
            programs.
        token: Bearer token for ``base_url``.
        image: The environment's container image, for providers that run containers.
        extra: The extra of ``openenv-gym`` that installs ``server``.
        workers: Processes of the embedded default.

    Raises:
        UsageError: Both or none were given.
        MissingExtraError: The environment's package is not installed.
        StartupError: The server did not come up.
    """
    if base_url is not None and provider is not None:
        raise UsageError("give either base_url= or provider=, not both")
    if workers != 1 and (base_url is not None or provider is not None):
        raise UsageError(
            "workers= is for a server started by default: give it to the provider, as in "
            "ProcessProvider(workers=2), or start the server with `openenv-gym serve ENV --workers N`"
        )
    if base_url is not None:
        urls = [base_url] if isinstance(base_url, str) else list(base_url)
        if not urls:
            raise UsageError("base_url= is an empty list: name at least one server")
        return Servers(tuple(Endpoint(url, token) for url in urls), _nothing)
    if token is not None:
        raise UsageError("token= goes with base_url=; a server started here gets a token of its own")
    if server is None and image is None and provider is None:
        raise UsageError(
            "this environment has no server of its own: give base_url=, for example http://host:8000"
        )
    spec = ServerSpec(app=server, image=image)
    if provider is not None:
        return Servers((provider.start(spec),), provider.stop)
    if server is None:
        raise NotSupportedError("an image= needs a provider= that runs containers")
    _require_package(server, extra)
    from openenv_gym.providers import embedded

    lease = embedded.acquire(spec, workers)
    return Servers((lease.endpoint,), lease.release)


def connect(
    servers: Servers,
    num_lanes: int,
    *,
    timeout: float,
    lenient: bool,
    reset_options: Mapping[str, Any] | None,
    dialect: Dialect,
    outage_timeout: float,
    render_mode: str | None,
) -> tuple[Interface, SessionPool]:
    """Learn the environment's spaces from a server, and make the pool of sessions; release on failure.

    Raises:
        UsageError: The server does not draw what ``render_mode`` asks for.
        ServerUnreachableError: The server did not answer within ``timeout`` seconds.
        SchemaError: Its schema cannot become spaces.
    """
    try:
        schema = fetch_schema(servers.endpoints[0], timeout=timeout)
        if "tools" not in schema and takes_tool_calls(schema):
            schema["tools"] = fetch_tools(servers.endpoints[0], timeout=timeout)
        interface = Interface(schema, lenient=lenient, reset_options=reset_options)
        interface.require_render_mode(render_mode)
        pool = SessionPool(
            servers.endpoints,
            num_lanes=num_lanes,
            dialect=dialect,
            outage_timeout=outage_timeout,
            share_arrays=True,  # the spaces' codecs copy every array that they decode
        )
        return interface, pool
    except BaseException:
        servers.release()
        raise


def _require_package(server: str, extra: str | None) -> None:
    """Fail before a child is started, with the name of what to install."""
    engine = engine_of(server)
    if engine is not None:
        engine.require()
        return
    package = server.partition(":")[0].partition(".")[0]
    if importlib.util.find_spec(package) is None:
        if extra is not None:
            raise MissingExtraError(f"the environment package {package!r}", extra)
        raise UsageError(f"the environment package {package!r} is not installed here")


def _nothing() -> None:
    """Release nothing: the servers are somebody else's."""
