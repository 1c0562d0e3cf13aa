"""Where an environment's servers come from: a URL, a provider, a container image, or the embedded default."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from openenv_gym.adapters.servers import Servers
from openenv_gym.client.fleet import Fleet
from openenv_gym.errors import MissingExtraError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.openenv_provider import AnyProvider, as_provider
from openenv_gym.providers.provider import Provider
from openenv_gym.server.engine_table import engine_of


def find_servers(
    base_url: str | Sequence[str] | None = None,
    *,
    token: str | None = None,
    provider: AnyProvider | Fleet | None = None,
    image: str | None = None,
    num_containers: int | None = None,
    env_vars: Mapping[str, str] | None = None,
    server: str | None = None,
    default_image: str | None = None,
    extra: str | None = None,
    workers: int = 1,
) -> Servers:
    """Apply the one rule: ``base_url``, else ``provider``, else containers, else the embedded default.

    Containers are meant by ``image`` and by ``num_containers``; without a provider Docker runs them.

    Args:
        base_url: Servers that run already, one or several.
        token: Bearer token for ``base_url``.
        provider: Starts the server now; stopped on release. A fleet that somebody started goes on.
        image: The container image to run.
        num_containers: How many servers to run, as a `Fleet`, each started by a copy of the provider.
        env_vars: Environment variables for the server that is started.
        server: The environment's ASGI app as an import string, or ``engine:ID``, for what runs programs.
        default_image: The environment's own container image, for what runs containers and is given none.
        extra: The extra of ``openenv-gym`` that installs ``server``.
        workers: Processes of the embedded default.

    Raises:
        UsageError: These exclude each other, or name no server.
        MissingExtraError: The environment's package, or what its provider needs, is not installed.
        StartupError: The server did not come up.
    """
    if base_url is not None:
        _refuse_beside_url(provider=provider, image=image, num_containers=num_containers, env_vars=env_vars)
        _refuse_workers(workers)
        return _running(base_url, token)
    if token is not None:
        raise UsageError("token= goes with base_url=; a server started here gets a token of its own")
    # An image that is asked for is never passed over for a program that happens to be known too. But an image
    # may hold several environments: a container that is started here is told which.
    app = server if image is None or provider is None else None
    image_to_run = image if image is not None else default_image
    if app is None and image_to_run is None and provider is None:  # some know themselves what they run
        raise UsageError(
            "this environment has no server of its own: give base_url=, for example http://host:8000, or "
            "the image= of its container"
        )
    spec = ServerSpec(app=app, image=image_to_run, environ=env_vars or {})
    if provider is None and image is None and num_containers is None and server is not None:
        _require_package(server, extra)
        return _embedded(spec, workers)
    _refuse_workers(workers)
    if isinstance(provider, Fleet):
        if num_containers is not None:
            raise UsageError("num_containers= is for a provider; a Fleet has a size of its own")
        return _leased(provider, spec)
    if num_containers is not None:
        return _leased(Fleet(_for_each(provider or _docker_provider()), num_containers), spec)
    one = as_provider(provider or _docker_provider())
    return Servers((one.start(spec),), one.stop)


def _refuse_beside_url(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"give either base_url= or {name}=, not both: at a URL a server runs already")


def _refuse_workers(workers: int) -> None:
    if workers != 1:
        raise UsageError(
            "workers= is for a server started by default: give it to the provider, as in "
            "ProcessProvider(workers=2), or start the server with `openenv-gym serve ENV --workers N`"
        )


def _running(base_url: str | Sequence[str], token: str | None) -> Servers:
    urls = [base_url] if isinstance(base_url, str) else list(base_url)
    if not urls:
        raise UsageError("base_url= is an empty list: name at least one server")
    return Servers(tuple(Endpoint(url, token) for url in urls), None)


def _embedded(spec: ServerSpec, workers: int) -> Servers:
    from openenv_gym.providers import embedded

    lease = embedded.acquire(spec, workers)
    return Servers((lease.endpoint,), lease.release)


def _leased(fleet: Fleet, spec: ServerSpec) -> Servers:
    fleet.lease(spec)
    return Servers(fleet, fleet.release)


def _for_each(provider: AnyProvider) -> Provider | Callable[[], Provider]:
    """What a fleet takes: one to copy, or what makes one."""
    return partial(as_provider, provider) if callable(provider) else as_provider(provider)


def _docker_provider() -> Callable[[], Provider]:
    from openenv_gym.providers.docker import DockerProvider

    return DockerProvider


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
