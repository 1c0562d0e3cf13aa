"""Finds the Docker engine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from openenv_gym.errors import MissingExtraError, NotSupportedError, ProviderError

_DEFAULT_URL = "unix:///var/run/docker.sock"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine is reached.

    Attributes:
        url: ``http+unix:///path``, ``http://host:port`` or ``https://host:port``.
        tls: The Docker SDK's ``TLSConfig`` for ``https``, else ``None``.
    """

    url: str
    tls: Any = field(default=None, compare=False)

    @property
    def host(self) -> str:
        """Where ports that the engine publishes are reached from here."""
        return _LOOPBACK if self.url.startswith("http+unix:") else urlsplit(self.url).hostname or _LOOPBACK

    @property
    def is_local(self) -> bool:
        """Whether the engine's loopback is this machine's."""
        return self.host in (_LOOPBACK, "localhost", "::1")

    @property
    def certificates(self) -> tuple[str, ...]:
        """For ``https``: paths of the authority's certificate, if it is to be verified, ours and our key."""
        if self.tls is None:
            return ()
        certificate, key = self.tls.cert or ("", "")
        authority = self.tls.ca_cert if self.tls.verify else ""
        return str(authority or ""), str(certificate), str(key)


def find_engine(url: str | None = None) -> EngineAddress:
    """Where the engine is; without a ``url``, where the ``docker`` command would look for it now.

    That is ``DOCKER_HOST`` (with ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``), else the current context of
    the ``docker`` command (with an SDK that knows contexts), else the machine's own socket.

    Raises:
        MissingExtraError: The Docker SDK is not installed.
        NotSupportedError: The engine is reached in a way that leaves its published ports out of reach.
        ProviderError: The address is none.
    """
    try:
        from docker.errors import DockerException
        from docker.utils import parse_host
    except ImportError as error:
        raise MissingExtraError("DockerProvider", "docker") from error
    try:
        found = _settings(url)
        tls = found.get("tls") or None
        address = str(parse_host(found.get("base_url") or _DEFAULT_URL, False, tls is not None))
    except (DockerException, ValueError) as error:
        raise ProviderError(f"the Docker engine's address is wrong: {error}") from error
    if not address.startswith(("http+unix:", "http:", "https:")):
        raise NotSupportedError(
            f"the Docker engine at {address}: ports that it publishes cannot be reached over ssh; run this "
            "on that machine"
        )
    return EngineAddress(address, tls)


def _settings(url: str | None) -> dict[str, Any]:
    """The keyword arguments of the SDK's client that name the engine."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    found: dict[str, Any] = {**kwargs_from_env()}
    if url is not None:
        return found if url == found.get("base_url") else {"base_url": url}
    if "base_url" not in found and hasattr(ContextAPI, "kwargs_from_context"):
        found |= ContextAPI.kwargs_from_context(environment=os.environ)
    return found
