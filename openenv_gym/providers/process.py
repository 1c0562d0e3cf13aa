"""Starts a server as a local child process on loopback."""

from __future__ import annotations

import os
import secrets
import signal
import site
import socket
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from openenv_gym.errors import ClosedError, NotSupportedError, StartupError, UsageError
from openenv_gym.providers.endpoint import TOKEN_VARIABLE, Endpoint, ServerSpec
from openenv_gym.providers.guarded_process import GuardedProcess, forks_held
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import wait_until_ready
from openenv_gym.providers.server_log import redacted, tail
from openenv_gym.providers.server_state import ServerState

_OF_THIS_SERVER = ("OPENENV_GYM_SIBLINGS", "OPENENV_GYM_GROUP")  # where this process is one: not its child's
_LOOPBACK = "127.0.0.1"


class ProcessProvider(Provider):
    """Runs a server as a child of this process, on a free loopback port and with a random token.

    The server ends with `stop`, with this process - however that ends, SIGKILL included - and takes every
    process it started along. It outlives the thread that started it. Ctrl-C does not reach it.

    It inherits this process's environment variables whole: an environment is configured by them
    (``GITEA_URL`` and its password, API keys of judges), and code of the same user could read them anyway;
    what must not see them runs in a sandbox inside the server. ``ServerSpec.environ`` overrides them. What
    can be imported here can be imported there.

    Args:
        ready_timeout: Seconds until the server has to answer ``GET /health``.
        stop_grace: Seconds the server gets to close its sessions before it is killed.
        command: Runs this program instead of ``ServerSpec.app``. One argument contains ``{fd}``, the number
            of an inherited listening socket, as in ``uvicorn --fd {fd}``; or ``{port}``, a port of 127.0.0.1
            that was free a moment ago (prefer ``{fd}``). It must answer ``GET /health`` with 200.
        workers: How many servers run ``ServerSpec.app``, each in a process of its own on a port of its own:
            clients find all of them by the one endpoint. Each has the capacity of one.
    """

    def __init__(
        self,
        *,
        ready_timeout: float = 30.0,
        stop_grace: float = 10.0,
        command: Sequence[str] | None = None,
        workers: int = 1,
    ) -> None:
        self._ready_timeout = ready_timeout
        self._stop_grace = stop_grace
        self._command = None if command is None else tuple(command)
        if not any("{fd}" in word or "{port}" in word for word in self._command or ("{fd}",)):
            raise UsageError("command= must say where to listen: put {fd} or {port} into one argument")
        if workers < 1 or (workers > 1 and command is not None):
            raise UsageError("workers= is at least 1, and not for a command=, which starts what it likes")
        self._workers = workers
        self._token = secrets.token_urlsafe(32)
        self._server: GuardedProcess | None = None
        self._started = False
        self._stopped = False

    def state(self) -> ServerState:
        """Whether the server's process lives; see `Provider.state`."""
        if self._server is None:
            return ServerState("ended", "was not started")
        code = self._server.exit_code
        return ServerState("running") if code is None else ServerState("ended", _end(code))

    @property
    def pid(self) -> int:
        """The process whose descendants the server's processes are, for looking at what they hold.

        Raises:
            UsageError: Nothing was started.
        """
        if self._server is None:
            raise UsageError("this provider has started nothing that has a process id")
        return self._server.pid

    def start(self, spec: ServerSpec) -> Endpoint:
        """Start the server; see `Provider.start`."""
        template = self._template(spec)
        environ = _environ(spec, self._token, imports=self._command is None)
        with forks_held():
            self._refuse_if_stopped()
            if self._started:
                raise UsageError("this provider runs a server already: make one provider a server")
            self._started = True
        try:
            server, endpoint = self._launch(template, environ)
            self._wait_until_ready(server, endpoint, spec.name)
        except BaseException:
            self.stop()
            raise
        return endpoint

    def stop(self) -> None:
        """Stop the server; see `Provider.stop`. In a forked child it leaves the parent's server alone."""
        self._stopped = True
        with forks_held():  # a start that holds this finds out below, one that waits for it above
            server = self._server
        if server is not None:
            server.end()

    def logs(self) -> str:
        """The latest of what the server wrote, at most a mebibyte; see `Provider.logs`."""
        text = "" if self._server is None else self._server.log()
        return redacted(text, self._token)

    def _template(self, spec: ServerSpec) -> tuple[str, ...]:
        if self._command is not None:
            return self._command
        if spec.app is None:
            raise NotSupportedError("ProcessProvider runs programs: it needs ServerSpec.app, not an image")
        # -P: the import path is handed over in PYTHONPATH and is not to grow by the working directory.
        serve = (sys.executable, "-P", "-m", "openenv_gym.server.serve", spec.app, "--fd", "{fd}")
        return serve if self._workers == 1 else (*serve, "--workers", str(self._workers))

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise ClosedError("this provider was stopped: make a new one to start another server")

    def _launch(self, template: Sequence[str], environ: dict[str, str]) -> tuple[GuardedProcess, Endpoint]:
        # Listening before the child exists leaves no moment in which another program can take the port,
        # and lets the first probe wait in the backlog until the server comes up.
        with forks_held(), socket.create_server((_LOOPBACK, 0), backlog=2048) as listener:
            self._refuse_if_stopped()
            port, fd = listener.getsockname()[1], listener.fileno()
            command = [word.replace("{fd}", str(fd)).replace("{port}", str(port)) for word in template]
            inherit = [fd] if any("{fd}" in word for word in template) else []
            if not inherit:
                listener.close()  # the program opens the port itself
            server = GuardedProcess(command, environ, inherit=inherit, grace=self._stop_grace)
            self._server = server
        return server, Endpoint(f"http://{_LOOPBACK}:{port}", self._token)

    def _wait_until_ready(self, server: GuardedProcess, endpoint: Endpoint, name: str) -> None:
        def ended(seconds: float) -> bool:
            return server.wait(seconds) is not None

        problem = wait_until_ready(endpoint, timeout=self._ready_timeout, ended=ended)
        if self._stopped:
            raise StartupError(f"the {name} was stopped while it was starting")
        if problem is None:
            return
        code = server.exit_code
        if code is None:
            verdict = f"was not ready within {self._ready_timeout:g} s ({problem})"
        else:
            verdict = f"{_end(code)} before it was ready"
        self.stop()  # before its log is read, so that the log is complete
        raise StartupError(f"the {name} {verdict}", tail(self.logs()))


def _end(code: int) -> str:
    return (
        f"exited with code {code}"
        if code >= 0
        else f"was killed by signal {-code} ({signal.strsignal(-code)})"
    )


def _environ(spec: ServerSpec, token: str, *, imports: bool) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if name not in _OF_THIS_SERVER}
    environ["PYTHONUNBUFFERED"] = "1"  # or the last lines before a crash never reach the log
    if imports:
        environ["PYTHONPATH"] = os.pathsep.join(_import_path())
    return {**environ, **spec.environ, TOKEN_VARIABLE: token}


def _import_path() -> list[str]:
    """What this process can import from beyond its interpreter's own directories.

    Those are left out because the variable reaches every program the server starts, other Pythons included.
    """
    own = {*site.getsitepackages(), site.getusersitepackages()}
    own |= {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    paths = [Path(entry).absolute() for entry in sys.path]
    return [str(path) for path in paths if path.exists() and not {str(path), str(path.parent)} & own]
