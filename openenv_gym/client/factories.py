"""What a client's factories have in common: a server that is started here, and options for two to take."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openenv_gym.client.handle import ClientT, UnstartedClient
from openenv_gym.errors import UsageError
from openenv_gym.providers.endpoint import ServerSpec
from openenv_gym.providers.openenv_provider import AnyProvider, OpenEnvProvider
from openenv_gym.providers.provider import Provider


def unstarted(
    client: type[ClientT],
    made_by: str,
    spec: ServerSpec,
    provider: AnyProvider | None,
    wait_timeout: float | None,
    options: Mapping[str, Any],
) -> UnstartedClient[ClientT]:
    """Make the handle of a client whose server a provider starts.

    Args:
        client: The client's class.
        made_by: The call that the caller made, for messages.
        spec: What is started.
        provider: What starts it, or what makes that of its options; ``None`` makes a `DockerProvider`.
        wait_timeout: Seconds it may take to become ready; ``None`` leaves that to the provider.
        options: For the client's constructor if that takes them, else for the provider.

    Raises:
        UsageError: An option that nobody takes.
    """
    known = _constructor_options(client)
    own = {name: value for name, value in options.items() if name in known}
    rest = {name: value for name, value in options.items() if name not in known}
    if wait_timeout is not None:
        rest["ready_timeout"] = wait_timeout
    if provider is None:
        provider = _docker_provider()
    if isinstance(provider, Provider):
        if rest:
            kind = type(provider).__name__
            raise UsageError(f"{made_by} was given a {kind} and {_list(rest)} too: give that to {kind}(...)")
    elif callable(provider):
        try:
            provider = provider(**rest)
        except TypeError as error:
            raise UsageError(f"{made_by} takes the client's options and the provider's: {error}") from error
    else:
        patience = {} if wait_timeout is None else {"ready_timeout": rest.pop("ready_timeout")}
        provider = OpenEnvProvider(provider, options=rest, **patience)
    return UnstartedClient(functools.partial(client, provider=provider, spec=spec, **own), made_by)


def space_subdomain(repo_id: str) -> str:
    """Return what Hugging Face calls a space in addresses.

    >>> space_subdomain("Open_Env/Echo.Env")
    'open-env-echo-env'

    Raises:
        UsageError: It is not ``owner/name``.
    """
    owner, slash, name = repo_id.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UsageError(f"a space is named owner/name; got {repo_id!r}")
    return re.sub(r"[^a-z0-9]+", "-", f"{owner}-{name}".lower()).strip("-")


def project_runner(project: str) -> Callable[..., Provider]:
    """Return what makes the provider that runs a project."""
    from openenv_gym.providers.uv import UVProvider

    return functools.partial(UVProvider, project)


def _docker_provider() -> Callable[..., Provider]:
    from openenv_gym.providers.docker import DockerProvider

    return DockerProvider


def _constructor_options(client: type[object]) -> set[str]:
    """The names of what a class and its bases take; a subclass may pass on what it does not name."""
    constructors = [vars(base)["__init__"] for base in client.__mro__[:-1] if "__init__" in vars(base)]
    return {name for constructor in constructors for name in inspect.signature(constructor).parameters}


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"{name}=" for name in sorted(names))
