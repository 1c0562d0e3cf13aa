"""Takes providers that were written for OpenEnv where this library asks for its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, runtime_checkable

from openenv_gym.errors import ClosedError, NotSupportedError, ProviderError, StartupError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider


@runtime_checkable
class OpenEnvContainerProvider(Protocol):
    """What OpenEnv calls a ``ContainerProvider``: it runs one container, and has no base class to show."""

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **kwargs: Any
    ) -> str:
        """Start a container and return its URL."""

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        """Return when it answers, or raise."""

    def stop_container(self) -> None:
        """Stop and remove it."""


class OpenEnvProvider(Provider):
    """Runs a container by a provider that was written for OpenEnv.

    Such a provider says nothing of a token, of logs, or of what becomes of the container when this process is
    killed: there is none, there are none, and it lives on. Nor can its start be interrupted: `stop` waits
    for it.

    Args:
        provider: The other provider.
        ready_timeout: Seconds until the server has to answer, by the other provider's own judgement.
        options: For its ``start_container``.

    Raises:
        UsageError: It was not written for OpenEnv either.
    """

    def __init__(
        self,
        provider: OpenEnvContainerProvider,
        *,
        ready_timeout: float = 30.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(provider, OpenEnvContainerProvider):
            raise UsageError(
                "provider= takes an openenv_gym.providers.Provider, such as DockerProvider(), or one written "
                f"for OpenEnv, not {provider!r}"
            )
        self._provider = provider
        self._ready_timeout = ready_timeout
        self._options = dict(options or {})
        self._changing = threading.Lock()
        self._started = False
        self._stopped = False
        self._removed = False

    def __reduce__(self) -> NoReturn:
        name = type(self._provider).__name__
        raise UsageError(f"{name} cannot be copied, because OpenEnv's providers say nothing of copies")

    def start(self, spec: ServerSpec) -> Endpoint:
        """Start the server; see `Provider.start`."""
        if spec.image is None:
            raise NotSupportedError(f"{type(self._provider).__name__} runs containers: it needs an image")
        with self._changing:
            if self._stopped:
                raise ClosedError("this provider was stopped: make a new one to start another server")
            if self._started:
                raise UsageError("this provider runs a server already: make one provider a server")
            self._started = True
        try:
            return Endpoint(self._run(spec.image, dict(spec.environ)))
        except BaseException as error:
            self.stop()
            if isinstance(error, Exception):
                raise StartupError(
                    f"the {spec.name} did not start ({type(error).__name__}: {error})"
                ) from error
            raise

    def stop(self) -> None:
        """Stop the server; see `Provider.stop`."""
        self._stopped = True
        with self._changing:
            if not self._started or self._removed:
                return
            try:
                self._provider.stop_container()
            except Exception as error:
                raise ProviderError(f"{type(self._provider).__name__} could not stop: {error}") from error
            self._removed = True

    def logs(self) -> str:
        """Nothing: OpenEnv's providers have no logs."""
        return ""

    def _run(self, image: str, environ: dict[str, str]) -> str:
        with self._changing:  # so that a stop in between finds a container that can be stopped
            if self._stopped:
                raise ClosedError("this provider was stopped while it was starting")
            url = self._provider.start_container(image, env_vars=environ, **self._options)
        self._provider.wait_for_ready(url, timeout_s=self._ready_timeout)
        if self._stopped:
            raise ClosedError("this provider was stopped while it was starting")
        return url


AnyProvider = Provider | OpenEnvContainerProvider | Callable[[], Provider | OpenEnvContainerProvider]
"""What ``provider=`` takes: a provider, for one server, or what makes one, for example its class."""


def as_provider(provider: AnyProvider) -> Provider:
    """Return a provider of this library's kind, making it if need be.

    Raises:
        UsageError: It is none, and was not written for OpenEnv either.
    """
    if isinstance(provider, Provider):
        return provider
    if callable(provider):
        return as_provider(provider())
    return OpenEnvProvider(provider)
