"""Kernels started ahead: starting one takes a second, a reset that finds one ready takes milliseconds."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from subprocess import SubprocessError

from openenv_gym.errors import OpenEnvGymError
from repl_env.server.kernel import Kernel
from repl_env.server.packages import compile_packages
from repl_env.server.settings import REPLSettings

logger = logging.getLogger(__name__)


class KernelPool:
    """Keeps a few kernels ready for whoever asks next. Thread-safe; closed at the process's end.

    Args:
        settings: What the kernels are started with, and how many are kept.
    """

    def __init__(self, settings: REPLSettings) -> None:
        self._settings = settings
        self._ready: deque[Kernel] = deque()
        self._lock = threading.Lock()
        self._filling: threading.Thread | None = None
        self._closed = False
        atexit.register(self.close)

    def open(self) -> None:
        """Begin anew after `close`."""
        with self._lock:
            if self._closed:
                self._closed = False
                atexit.register(self.close)

    def prepare(self) -> None:
        """Begin to start kernels, where none are ready."""
        with self._lock:
            self._refill()

    def take(self) -> Kernel:
        """Return a kernel that is ready, and have another one started in its stead.

        Raises:
            SandboxError: None can be started here.
            MissingExtraError: ipykernel is not installed.
        """
        with self._lock:
            kernel = self._ready.popleft() if self._ready else None
            self._refill()
        if kernel is None or not kernel.usable:
            if kernel is not None:
                kernel.close()
            kernel = _started(self._settings)
        return kernel

    def close(self) -> None:
        """End the kernels that nobody has taken."""
        with self._lock:
            self._closed = True
            left = list(self._ready)
            self._ready.clear()
            filling = self._filling
        if filling is not None:
            filling.join()
        for kernel in left:
            kernel.close()
        atexit.unregister(self.close)

    def _refill(self) -> None:
        if self._closed or self._filling is not None or len(self._ready) >= self._settings.spare_kernels:
            return
        self._filling = threading.Thread(target=self._fill, name="kernel-pool", daemon=True)
        self._filling.start()

    def _fill(self) -> None:
        try:
            while self._keep(_started(self._settings)):
                continue
        except (OpenEnvGymError, OSError, SubprocessError):
            # Whoever takes the next kernel meets it too, and says so.
            logger.exception("no kernel could be started ahead")
            with self._lock:
                self._filling = None

    def _keep(self, kernel: Kernel) -> bool:
        """Put a kernel on the shelf; says whether another one is wanted, and if not, that filling is over."""
        with self._lock:
            if not self._closed:
                self._ready.append(kernel)
                if len(self._ready) < self._settings.spare_kernels:
                    return True
                self._filling = None
                return False
            self._filling = None
        kernel.close()
        return False


def _started(settings: REPLSettings) -> Kernel:
    compile_packages()
    kernel = Kernel(settings)
    try:
        kernel.wait_ready()
    except BaseException:
        kernel.close()
        raise
    return kernel


_pools: dict[REPLSettings, KernelPool] = {}
_pools_lock = threading.Lock()


def shared_pool(settings: REPLSettings) -> KernelPool:
    """The pool that all sessions of this process with these settings share."""
    with _pools_lock:
        if settings not in _pools:
            _pools[settings] = KernelPool(settings)
        return _pools[settings]
