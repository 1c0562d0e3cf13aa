"""The template of providers that run a server as a local child process on loopback."""

from __future__ import annotations

import secrets
import signal
import socket
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openenv_gym.errors import ClosedError, StartupError, UsageError
from openenv_gym.providers.endpoint import TOKEN_VARIABLE, Endpoint, ServerSpec
from openenv_gym.providers.guarded_process import GuardedProcess, forks_held
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import wait_until_ready
from openenv_gym.providers.server_log import redacted, tail
from openenv_gym.providers.server_state import ServerState

_OF_THIS_SERVER = ("OPENENV_GYM_SIBLINGS", "OPENENV_GYM_GROUP")  # where this process is one: not its child's
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Program:
    """What a `LocalProvider` runs.

    Attributes:
        command: The program and its arguments. ``{fd}`` in one of them stands for the number of an inherited
            listening socket, or ``{port}`` for a port of 127.0.0.1 that was free a moment ago.
        environ: Environment variables, beside those that every server gets.
    """

    command: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)  # may hold passwords


class LocalProvider(Provider):
    """Runs a program as a child of this process, on a free loopback port and with a random token.

    A subclass says which program. This class sees to it that it ends with `stop`, with this process - however
    that ends, SIGKILL included - and with everything that it started. It outlives the thread that started it.
    Ctrl-C does not reach it.

    Args:
        ready_timeout: Seconds until the server has to answer ``GET /health``.
        stop_grace: Seconds the server gets to close its sessions before it is killed.
    """

    def __init__(self, *, ready_timeout: float, stop_grace: float) -> None:
        self._ready_timeout = ready_timeout
        self._stop_grace = stop_grace
        self._token = secrets.token_urlsafe(32)
        self._server: GuardedProcess | None = None
        self._started = False
        self._stopped = False

    @abstractmethod
    def _program(self, spec: ServerSpec) -> Program:
        """Say what to run.

        Raises:
            UsageError: This provider cannot run what ``spec`` names.
        """

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
        program = self._program(spec)
        environ = {name: value for name, value in program.environ.items() if name not in _OF_THIS_SERVER}
        environ["PYTHONUNBUFFERED"] = "1"  # or the last lines before a crash never reach the log
        environ |= {**spec.environ, TOKEN_VARIABLE: self._token}
        with forks_held():
            self._refuse_if_stopped()
            if self._started:
                raise UsageError("this provider runs a server already: make one provider a server")
            self._started = True
        try:
            server, endpoint = self._launch(program.command, environ)
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

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise ClosedError("this provider was stopped: make a new one to start another server")

    def _launch(
        self, template: Sequence[str], environ: Mapping[str, str], **inherited: int
    ) -> tuple[GuardedProcess, Endpoint]:
        """Start the program; more descriptors that it gets stand in its command by their names."""
        # Listening before the child exists leaves no moment in which another program can take the port,
        # and lets the first probe wait in the backlog until the server comes up.
        with forks_held(), socket.create_server((_LOOPBACK, 0), backlog=2048) as listener:
            self._refuse_if_stopped()
            port = listener.getsockname()[1]
            if any("{fd}" in word for word in template):
                inherited["fd"] = listener.fileno()
            else:
                listener.close()  # the program opens the port itself
            command = [_filled(word, {"port": port, **inherited}) for word in template]
            server = GuardedProcess(
                command, environ, inherit=list(inherited.values()), grace=self._stop_grace
            )
            self._server = server
        return server, Endpoint(f"http://{_LOOPBACK}:{port}", self._token)

    def _wait_until_ready(self, server: GuardedProcess, endpoint: Endpoint, name: str) -> None:
        def ended(seconds: float) -> bool:
            return server.wait(seconds) is not None

        problem = wait_until_ready(endpoint, timeout=self._ready_timeout, ended=ended)
        if self._stopped or problem is not None:
            code = server.exit_code
            late = f"was not ready within {self._ready_timeout:g} s ({problem})"
            raise self._failure(name, late if code is None else f"{_end(code)} before it was ready")

    def _failure(self, name: str, verdict: str) -> StartupError:
        """Stop the server, and make the error that says why its start failed."""
        if self._stopped:
            return StartupError(f"the {name} was stopped while it was starting")
        self.stop()  # before its log is read, so that the log is complete
        return StartupError(f"the {name} {verdict}", tail(self.logs()))


def _filled(word: str, numbers: Mapping[str, int]) -> str:
    for name, number in numbers.items():
        word = word.replace(f"{{{name}}}", str(number))
    return word


def _end(code: int) -> str:
    return (
        f"exited with code {code}"
        if code >= 0
        else f"was killed by signal {-code} ({signal.strsignal(-code)})"
    )
