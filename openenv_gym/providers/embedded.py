"""The embedded default: one local server a spec, shared by all of this process.

A server starts with the first lease and stops with the last; there is no lingering, because whoever wants a
warm server holds a lease. What ends without releasing is covered by the provider: its server ends with the
process. A child made by ``os.fork`` shares nothing: it starts its own servers, and a lease that it inherited
is without effect.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future

from openenv_gym.errors import ProviderError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider

_lock = threading.Lock()
_shared: dict[tuple[ServerSpec, int], _Shared] = {}


class Lease:
    """The right to use a shared server until `release`.

    Attributes:
        endpoint: Where the server listens.
    """

    def __init__(self, shared: _Shared, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._shared: _Shared | None = shared

    def release(self) -> None:
        """Give the lease back; the last one stops the server and returns when it is gone. May be repeated.

        Raises:
            ProviderError: The server could not be stopped.
        """
        with _lock:
            shared, self._shared = self._shared, None
        if shared is not None:
            _give_back(shared)


class _Shared:
    """One server and how many use it or wait for its start."""

    def __init__(self, spec: ServerSpec, workers: int) -> None:
        self.spec = spec
        self.key = spec, workers
        self.provider = ProcessProvider(workers=workers)
        self.endpoint: Future[Endpoint] = Future()
        self.users = 0

    @property
    def dead(self) -> bool:
        """Whether it was up once and is no more."""
        return self.endpoint.done() and not self.provider.running


def acquire(spec: ServerSpec, workers: int = 1) -> Lease:
    """Lease the server for ``spec``, starting it if it does not run (or died, or failed to start before).

    Callers who ask for the same at once wait for one start and share its outcome. The server's environment
    variables are this process's at the time of the start.

    Args:
        spec: What it serves.
        workers: How many processes serve it; see `ProcessProvider`. Another number is another server.

    Raises:
        StartupError: It died or was not ready in time.
    """
    with _lock:
        shared = _shared.get((spec, workers))
        first = shared is None or shared.dead
        if shared is None or first:
            shared = _Shared(spec, workers)
            _shared[shared.key] = shared
        shared.users += 1
    try:
        if first:
            _start(shared)
        return Lease(shared, shared.endpoint.result())
    except BaseException:
        _give_back(shared)
        raise


def _start(shared: _Shared) -> None:
    try:
        endpoint = shared.provider.start(shared.spec)
    except Exception as error:
        shared.endpoint.set_exception(error)
        raise
    except BaseException:
        # Ctrl-C is for the thread that got it; those who wait with it need an error of their own.
        shared.endpoint.set_exception(ProviderError(f"the start of the {shared.spec.name} was interrupted"))
        raise
    shared.endpoint.set_result(endpoint)


def _give_back(shared: _Shared) -> None:
    with _lock:
        shared.users -= 1
        last = shared.users == 0
        if last and _shared.get(shared.key) is shared:
            del _shared[shared.key]
    if last:
        shared.provider.stop()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # a thread that is not here may have held it
    _shared.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
