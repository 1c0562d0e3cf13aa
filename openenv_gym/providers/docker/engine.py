"""Finds the Docker engine, talks to it, and says what to do when it is out of reach."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openenv_gym.errors import MissingExtraError, NotSupportedError, ProviderError

if TYPE_CHECKING:
    from docker.errors import APIError

_DEFAULT_URL = "unix:///var/run/docker.sock"
_TIMEOUT = 60  # seconds for one call; a busy engine may take long to make one of many containers
_CONNECTIONS = 64  # kept open for a fleet that starts at once
_LOOPBACK = "127.0.0.1"

_connecting = threading.Lock()
_engines: dict[tuple[int, str | None], Engine] = {}


class NotOnEngineError(ProviderError):
    """The engine has nothing of that name."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A Docker engine and the connection to it, shared by all threads of this process.

    Attributes:
        api: The Docker SDK's low-level client; its calls are the Engine API's.
        url: Where the engine listens: ``http+unix:///path``, ``http://host:port`` or ``https://host:port``.
        certificates: For ``https``: the paths of the authority's certificate, ours and our key; else empty.
    """

    api: Any  # half of its stubs have no types
    url: str
    certificates: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Where ports that the engine publishes are reached from here."""
        return _LOOPBACK if self.url.startswith("http+unix:") else urlsplit(self.url).hostname or _LOOPBACK

    @property
    def is_local(self) -> bool:
        """Whether the engine's loopback is this machine's."""
        return self.host in (_LOOPBACK, "localhost", "::1")

    def architecture(self) -> str:
        """The processor that the engine runs programs for, for example ``"amd64"``.

        Raises:
            ProviderError: It does not answer.
        """
        with self.asked("the engine's version is unknown"):
            return str(self.api.version()["Arch"])

    @contextmanager
    def asked(self, doing: str, advice: Callable[[str], str] | None = None) -> Iterator[None]:
        """Turn what a call may meet into a `ProviderError`.

        Args:
            doing: What failed, for the message to begin with.
            advice: Finds, for what the engine says, what to change.

        Raises:
            NotOnEngineError: The engine has nothing of the name that the call gives.
        """
        import requests
        from docker.errors import APIError, DockerException, NotFound

        try:
            yield
        except APIError as error:
            kind = NotOnEngineError if isinstance(error, NotFound) else ProviderError
            raise kind(_refusal(doing, error, advice)) from error
        except (DockerException, requests.RequestException) as error:
            raise ProviderError(f"{doing}: {_out_of_reach(self.url, error)}") from error


def connect(url: str | None = None) -> Engine:
    """The engine at ``url``; without one, where the ``docker`` command would find it.

    That is ``DOCKER_HOST`` (with ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``), else the current context of
    the ``docker`` command (with an SDK that knows contexts), else the machine's own socket.

    Raises:
        MissingExtraError: The Docker SDK is not installed.
        NotSupportedError: The engine is reached in a way that leaves its published ports out of reach.
        ProviderError: No engine answers.
    """
    key = os.getpid(), url  # a connection that a fork has copied belongs to the parent
    with _connecting:
        if key not in _engines:
            _engines[key] = _connect(url)
        return _engines[key]


def _refusal(doing: str, error: APIError, advice: Callable[[str], str] | None) -> str:
    explanation = str(error.explanation or error).strip()
    hint = advice(explanation) if advice is not None else ""
    return f"{doing}: the Docker engine says: {explanation}" + (hint and f"; {hint}")


def _connect(url: str | None) -> Engine:
    try:
        import docker
        import requests
        from docker.errors import DockerException
        from docker.utils import parse_host
    except ImportError as error:
        raise MissingExtraError("DockerProvider", "docker") from error
    try:
        found = _settings(url)
        tls = found.get("tls") or False
        address = str(parse_host(found.get("base_url") or _DEFAULT_URL, False, bool(tls)))
        if not address.startswith(("http+unix:", "http:", "https:")):
            raise NotSupportedError(
                f"the Docker engine at {address}: ports that it publishes cannot be reached over ssh; run "
                "this on that machine"
            )
        api = docker.APIClient(
            base_url=address, tls=tls, version="auto", timeout=_TIMEOUT, max_pool_size=_CONNECTIONS
        )
    except (DockerException, requests.RequestException, ValueError) as error:
        raise ProviderError(
            _out_of_reach(url or os.environ.get("DOCKER_HOST") or _DEFAULT_URL, error)
        ) from error
    return Engine(api, address, _certificates(tls))


def _disconnect_all() -> None:
    for (pid, _), engine in list(_engines.items()):
        if pid == os.getpid():
            engine.api.close()


def _settings(url: str | None) -> dict[str, Any]:
    """The keyword arguments of ``APIClient`` that name the engine."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    found: dict[str, Any] = {**kwargs_from_env()}
    if url is not None:
        return {**found, "base_url": url} if url == found.get("base_url") else {"base_url": url}
    if "base_url" not in found and hasattr(ContextAPI, "kwargs_from_context"):
        found |= ContextAPI.kwargs_from_context(environment=os.environ)
    return found


def _certificates(tls: Any) -> tuple[str, ...]:
    if not tls:
        return ()
    certificate, key = tls.cert or ("", "")
    return str(tls.ca_cert or ""), str(certificate), str(key)


def _out_of_reach(url: str, error: Exception) -> str:
    return (
        f"no Docker engine answers at {url} ({error}). Is it running (`docker info`), may this user reach "
        "its socket (group docker), and does DOCKER_HOST name the right one?"
    )


def _after_fork_in_child() -> None:
    global _connecting
    _connecting = threading.Lock()  # a thread that is not here may have held it


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_disconnect_all)
