"""Talks to a Docker engine, and says what to do when it refuses or is out of reach."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openenv_gym.errors import ProviderError
from openenv_gym.providers.docker.engine_address import EngineAddress

_TIMEOUT = 60  # seconds for one call; a busy engine may take long to make one of many containers
_CONNECTIONS = 64  # kept open for a fleet that starts at once
_PORT_TAKEN = ("address already in use", "port is already allocated")
_PORT_ATTEMPTS = 20
_IN_PROGRESS = "already in progress"  # what the engine says when asked twice to remove the same
_PAUSE = 0.05  # seconds until it is asked again
_SAID_BY_ALL = "1.24"  # a version of the Engine API that all engines speak well enough to tell their own

_connecting = threading.Lock()
_engines: dict[tuple[int, EngineAddress], Engine] = {}


class NotOnEngineError(ProviderError):
    """The engine has nothing of that name."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """This process's connection to a Docker engine, shared by its threads.

    Attributes:
        api: The Docker SDK's low-level client; its calls are the Engine API's.
        address: Where the engine is.
        architecture: The processor that it runs programs for, for example ``"amd64"``.
    """

    api: Any  # half of its stubs have no types
    address: EngineAddress
    architecture: str

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
            explanation = str(error.explanation or error).strip()
            hint = advice(explanation) if advice is not None else ""
            message = f"{doing}: the Docker engine says: {explanation}"
            raise kind(message + (hint and f"; {hint}")) from error
        except (DockerException, requests.RequestException) as error:
            raise ProviderError(f"{doing}: {_out_of_reach(self.address, error)}") from error

    def start_container(self, name: str) -> None:
        """Start a container, on another port if the engine picks one that a program of its machine has.

        The engine tries ten ports in a row, of a range from which the kernel takes ports as well.

        Raises:
            docker.errors.APIError: The engine does not.
        """
        from docker.errors import APIError

        for _ in range(_PORT_ATTEMPTS):
            try:
                self.api.start(name)
                return
            except APIError as error:
                if not any(taken in str(error.explanation) for taken in _PORT_TAKEN):
                    raise
        self.api.start(name)

    def remove_container(self, name: str) -> None:
        """Remove a container, running or not, and its volumes without a name; return when it is gone.

        Raises:
            ProviderError: The engine does not.
        """
        give_up_at = time.monotonic() + _TIMEOUT
        while True:
            try:
                with self.asked(f"the container {name} cannot be removed"):
                    self.api.remove_container(name, v=True, force=True)
            except NotOnEngineError:
                return
            except ProviderError as error:
                # Somebody else is at it: only when that is done is it gone.
                if _IN_PROGRESS not in str(error) or time.monotonic() >= give_up_at:
                    raise
            else:
                return
            time.sleep(_PAUSE)


def connect(address: EngineAddress) -> Engine:
    """This process's connection to the engine, made by whoever asks first.

    Raises:
        ProviderError: No engine answers.
    """
    key = os.getpid(), address  # a connection that a fork has copied belongs to the parent
    with _connecting:
        if key not in _engines:
            _engines[key] = _connect(address)
        return _engines[key]


def _connect(address: EngineAddress) -> Engine:
    import requests
    from docker.errors import DockerException

    try:
        first = _client(address, _SAID_BY_ALL)
        try:
            told = first.version(api_version=False)
        finally:
            first.close()
        return Engine(_client(address, told["ApiVersion"]), address, told["Arch"])
    except (DockerException, requests.RequestException, OSError, KeyError) as error:
        raise ProviderError(_out_of_reach(address, error)) from error


def _client(address: EngineAddress, version: str) -> Any:
    import docker

    client = docker.APIClient(
        base_url=address.url,
        tls=address.tls or False,
        version=version,
        timeout=_TIMEOUT,
        max_pool_size=_CONNECTIONS,
    )
    if address.url.startswith("http+unix:"):
        from openenv_gym.providers.docker.unix_socket import UnixSocketAdapter

        adapter = UnixSocketAdapter(address.url, timeout=_TIMEOUT, max_pool_size=_CONNECTIONS)
        client.mount("http+docker://", adapter)
    return client


def _out_of_reach(address: EngineAddress, error: Exception) -> str:
    url = address.url.replace("http+unix:", "unix:")
    return (
        f"no Docker engine answers at {url} ({error}). Is it running (`docker info`), may this user reach "
        "its socket (group docker), and does DOCKER_HOST name the right one?"
    )


def _disconnect_all() -> None:
    for (pid, _), engine in list(_engines.items()):
        if pid == os.getpid():
            engine.api.close()


def _after_fork_in_child() -> None:
    global _connecting
    _connecting = threading.Lock()  # a thread that is not here may have held it


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_disconnect_all)
