"""The template of providers that run a server in a container, whichever engine runs it."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from abc import abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress

from openenv_gym.errors import ClosedError, NotSupportedError, ProviderError, StartupError, UsageError
from openenv_gym.providers.endpoint import TOKEN_VARIABLE, Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import wait_until_ready
from openenv_gym.providers.server_log import redacted, tail
from openenv_gym.providers.server_state import ServerState

_NAME_PREFIX = "openenv-gym"
_LOG_LIMIT = 1 << 20  # characters kept of a log
_FIRST_LOOKS = 0.1  # seconds between looks at a container that is starting, later ...
_LOOKS_SHARE = 0.2  # ... this share of the time it has had


class ContainerProvider(Provider):
    """Runs a server from its image; a subclass says how its engine runs, looks at and removes one container.

    ``run``, ``inspect``, ``read_log`` and ``remove`` are the engine's; the rest is done here: the token, the
    wait until the server answers, errors that carry the end of the log, and a `stop` that works in every
    state, in every thread, twice, during a start, and not at all in a forked child.

    A container's identity is a name which is chosen here *before* the engine hears of it, so that a container
    whose creation was answered to nobody can still be removed.

    A subclass's methods raise `ProviderError` when the engine fails them. They may be called in any thread;
    for one container ``run``, ``end`` and ``remove`` never overlap, ``inspect`` and ``read_log`` may.

    Args:
        environ: Environment variables for every server; those of the ``ServerSpec`` win.
        ready_timeout: Seconds from the container's start until its server has to answer ``GET /health``.
        stop_grace: Seconds the server gets to close its sessions before it is killed.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        ready_timeout: float = 60.0,
        stop_grace: float = 10.0,
    ) -> None:
        self._environ = dict(environ or {})
        self._ready_timeout = ready_timeout
        self._stop_grace = stop_grace
        self._token = secrets.token_urlsafe(32)
        self._name = ""
        self._owner: int | None = None  # the process that starts it; a child forked later is not the owner
        self._stopped = threading.Event()
        self._changing = threading.Lock()  # held while the container is made or removed
        self._exists = False  # maybe: from just before the engine is asked to make it
        self._final_log: str | None = None

    # --- what an engine does -------------------------------------------------------------------------------

    def prepare(self, spec: ServerSpec) -> None:
        """Do what takes long and leaves nothing to remove, such as pulling the image.

        Calls `check_not_stopped` now and then, so that `stop` ends it.
        """

    @abstractmethod
    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        """Make and start a container of that name, without waiting for its server; return its base URL.

        Args:
            name: The container's; unique, of lower-case letters, digits and hyphens, at most 63 characters.
            spec: What to run.
            environ: All environment variables to give it; the values are secrets.

        Raises:
            ProviderError: It cannot be run. `remove` is called all the same.
        """

    @abstractmethod
    def inspect(self, name: str) -> ServerState:
        """How the container is; "ended" if there is none. Its ``detail`` says how it ended."""

    @abstractmethod
    def read_log(self, name: str) -> str:
        """The latest of what its server wrote, a mebibyte at most; "" if there is no such container."""

    def end(self, name: str, grace: float) -> None:
        """Ask its server to end and wait for so many seconds; the log stays. If there is none, do nothing.

        For engines whose `remove` would not let the server close its sessions.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove the container, running or not, and all made for it. If there is none, do nothing."""

    def advice(self, state: ServerState, log: str) -> str:
        """What to change, by that state and log, for a server that did not get ready; "" if nobody knows."""
        return ""

    # --- what is the same for all of them ------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The container's name on its engine; "" before `start`."""
        return self._name

    def check_not_stopped(self) -> None:
        """Raise `ClosedError` if `stop` was called."""
        if self._stopped.is_set():
            raise ClosedError("this provider was stopped: make a new one to start another server")

    def start(self, spec: ServerSpec) -> Endpoint:
        """Start the server; see `Provider.start`."""
        if spec.image is None:
            raise NotSupportedError(f"{type(self).__name__} runs images: it needs ServerSpec.image")
        with self._changing:
            self.check_not_stopped()
            if self._name:
                raise UsageError("this provider runs a server already: make one provider a server")
            self._name = _unique_name(spec.name)
            self._owner = os.getpid()
        try:
            self._prepare(spec)
            endpoint = Endpoint(self._launch(spec), self._token)
            self._wait_until_ready(endpoint, spec.name)
        except BaseException:
            self._stop(grace=0.0)  # nobody has a session there
            raise
        return endpoint

    def stop(self) -> None:
        """Stop the server; see `Provider.stop`. In a forked child it leaves the parent's server alone."""
        self._stop(self._stop_grace)

    def kill(self) -> None:
        """Remove the server at once; see `Provider.kill`."""
        self._stop(grace=0.0)

    def logs(self) -> str:
        """The latest of what the server wrote, at most a mebibyte; see `Provider.logs`."""
        if self._final_log is not None:
            return self._final_log
        if not self._exists or self._owner != os.getpid():
            return ""
        return redacted(self.read_log(self._name)[-_LOG_LIMIT:], self._token)

    def state(self) -> ServerState:
        """How the container is; see `Provider.state`."""
        if not self._name:
            return ServerState("ended", "was not started")
        if not self._exists:
            return ServerState("ended", "was stopped")
        return self.inspect(self._name)

    def _prepare(self, spec: ServerSpec) -> None:
        try:
            self.prepare(spec)
        except ClosedError:
            raise StartupError(f"the {spec.name} was stopped while it was starting") from None

    def _launch(self, spec: ServerSpec) -> str:
        """Run the container, in a thread.

        Ctrl-C is raised in the main thread alone: an engine's answer is never lost to it, and by the time
        `stop` gets the lock it is known whether there is a container.
        """
        launched: Future[str] = Future()

        def launch() -> None:
            with self._changing:
                try:
                    self.check_not_stopped()
                    self._exists = True
                    environ = {**self._environ, **spec.environ, TOKEN_VARIABLE: self._token}
                    launched.set_result(self.run(self._name, spec, environ))
                except BaseException as error:  # noqa: BLE001 - raised again where it was waited for
                    launched.set_exception(error)

        threading.Thread(target=launch, name=f"launch {self._name}", daemon=True).start()
        try:
            return launched.result()
        except ClosedError:
            raise StartupError(f"the {spec.name} was stopped while it was starting") from None

    def _wait_until_ready(self, endpoint: Endpoint, name: str) -> None:
        state = ServerState("unknown")
        begin = next_look = time.monotonic()

        def ended(seconds: float) -> bool:
            nonlocal state, next_look
            if self._stopped.wait(seconds):
                return True
            now = time.monotonic()
            if seconds > 0 and now < next_look:
                return False  # many that start at once would keep the engine busy with questions
            next_look = now + max(_FIRST_LOOKS, _LOOKS_SHARE * (now - begin))
            state = self.inspect(self._name)
            return state.status in ("ended", "unhealthy")

        problem = wait_until_ready(endpoint, timeout=self._ready_timeout, ended=ended)
        if self._stopped.is_set():
            raise StartupError(f"the {name} was stopped while it was starting")
        if problem is None:
            return
        if state.status == "ended":
            verdict = f"{state.detail} before it was ready"
        elif state.status == "unhealthy":
            verdict = state.detail
        else:
            verdict = f"was not ready within {self._ready_timeout:g} s ({problem})"
        self._stop(grace=0.0)  # before its log is read, so that the log is complete
        log = self.logs()
        advice = self.advice(state, log)
        message = redacted(f"the {name} {verdict}" + (advice and f"; {advice}"), self._token)
        raise StartupError(message, tail(log))

    def _stop(self, grace: float) -> None:
        self._stopped.set()
        if self._owner is None or self._owner != os.getpid():
            return  # never started, or started by the process that forked this one
        with self._changing:
            if not self._exists:
                return
            log = ""
            try:
                if grace > 0:
                    with suppress(ProviderError):  # then it ends all the same, and less gently
                        self.end(self._name, grace)
                log = self._log_at_the_end()
            finally:
                self.remove(self._name)
                self._final_log, self._exists = log, False

    def _log_at_the_end(self) -> str:
        try:
            return self.logs()
        except ProviderError as error:
            return f"(the log could not be read: {error})"


def _unique_name(name: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
    return "-".join(word for word in (_NAME_PREFIX, words, secrets.token_hex(6)) if word)
