"""Starts a server as a local child process on loopback."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from openenv_gym.errors import NotSupportedError, UsageError
from openenv_gym.providers.endpoint import ServerSpec
from openenv_gym.providers.local import LocalProvider, Program


class ProcessProvider(LocalProvider):
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
        super().__init__(ready_timeout=ready_timeout, stop_grace=stop_grace)
        self._command = None if command is None else tuple(command)
        if not any("{fd}" in word or "{port}" in word for word in self._command or ("{fd}",)):
            raise UsageError("command= must say where to listen: put {fd} or {port} into one argument")
        if workers < 1 or (workers > 1 and command is not None):
            raise UsageError("workers= is at least 1, and not for a command=, which starts what it likes")
        self._workers = workers

    def _program(self, spec: ServerSpec) -> Program:
        if self._command is not None:
            return Program(self._command, os.environ)
        if spec.app is None:
            raise NotSupportedError("ProcessProvider runs programs: it needs ServerSpec.app, not an image")
        # -P: the import path is handed over in PYTHONPATH and is not to grow by the working directory.
        serve = (sys.executable, "-P", "-m", "openenv_gym.server.serve", spec.app, "--fd", "{fd}")
        many = () if self._workers == 1 else ("--workers", str(self._workers))
        return Program((*serve, *many), {**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())})


def _import_path() -> list[str]:
    """What this process can import from beyond its interpreter's own directories.

    Those are left out because the variable reaches every program the server starts, other Pythons included.
    """
    own = {*site.getsitepackages(), site.getusersitepackages()}
    own |= {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    paths = [Path(entry).absolute() for entry in sys.path]
    return [str(path) for path in paths if path.exists() and not {str(path), str(path.parent)} & own]
