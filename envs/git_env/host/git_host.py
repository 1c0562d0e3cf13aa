"""`GitHost`: the embedded git host as an object, served from a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Self

from git_env.host import sample_repository
from git_env.host.accounts import Accounts
from git_env.host.clone_source import CloneSource, local_source, remote_source
from git_env.host.errors import HostError
from git_env.host.names import name_from_address, user_name
from git_env.host.repositories import NewRepository, Repository, RepositoryStore
from git_env.host.settings import HostSettings
from openenv_gym.errors import ClosedError, MissingExtraError, StartupError

if TYPE_CHECKING:
    from git_env.host.serving import HostServer

_STOP_SECONDS = 15.0
_log = logging.getLogger(__name__)


class GitHost:
    """A small git server with the part of Gitea's API that the Git environment needs.

    Usable as a context manager; started once. It serves on loopback unless told otherwise, asks for
    credentials (random ones by default), and forgets everything at its end unless it has a ``root``.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        root: Folder to keep repositories in; None makes a private one that is removed by :meth:`stop`.
        username: The one user, an administrator.
        password: None makes a random one.
        imports: Repositories to import while starting: paths of checkouts or bare repositories, or URLs. When
            there is nothing at all to serve, a small generated repository is.
        settings: What is allowed, and bounds.
        log_requests: Write one line a request to the ``uvicorn.access`` logger.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        root: Path | str | None = None,
        username: str = "gitea",
        password: str | None = None,
        imports: Iterable[Path | str] = (),
        settings: HostSettings | None = None,
        log_requests: bool = False,
    ) -> None:
        self.username = user_name(username)
        self.password = password if password is not None else secrets.token_urlsafe(24)
        self._host = host
        self._port = port
        self._root = Path(root).absolute() if root is not None else None  # git runs in other folders
        self._imports = tuple(imports)
        self._settings = settings or HostSettings()
        self._log_requests = log_requests
        self._owner_pid = os.getpid()
        self._temporary: Path | None = None
        self._thread: threading.Thread | None = None
        self._server: HostServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._store: RepositoryStore | None = None
        self._stopped = False

    @property
    def url(self) -> str:
        """The base address, without a slash at its end; known once started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def root(self) -> Path | None:
        """The private folder in which everything lies; None before the start."""
        return self._root or self._temporary

    def start(self) -> Self:
        """Start serving; returns when it is ready and all ``imports`` are made.

        Raises:
            StartupError: The address is taken, an import failed, or the root is in use.
            ClosedError: It was started before.
            MissingExtraError: FastAPI or uvicorn is not installed.
        """
        if self._thread is not None or self._stopped:
            raise ClosedError("a GitHost is started once: make a new one")
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listener = socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            raise StartupError(f"cannot listen on {self._host}:{self._port}: {error}") from None
        self._port = listener.getsockname()[1]
        if self._root is None:
            self._temporary = Path(mkdtemp(prefix="openenv-gym-git-host-"))
        atexit.register(self.stop)
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listener, ready), name="openenv-gym-git-host", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except BaseException as error:
            self.stop()
            if isinstance(error, HostError | OSError):
                raise StartupError(f"the git host could not start: {error}") from error
            raise
        return self

    def stop(self) -> None:
        """Stop serving, end running git processes, remove the private folder. Safe in any state."""
        if self._stopped or os.getpid() != self._owner_pid:  # a forked child has no part in it
            return
        self._stopped = True
        atexit.unregister(self.stop)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended by itself
                self._loop.call_soon_threadsafe(self._end)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                _log.error("the git host's thread did not end within %g s", _STOP_SECONDS)
        if self._temporary is not None:
            shutil.rmtree(self._temporary)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def import_repository(self, source: Path | str, name: str | None = None) -> Repository:
        """Import a repository: the committed state of a local checkout, a bare repository, or a URL.

        The caller is trusted: ``allow_paths`` binds only those who come over the API.

        Args:
            source: Path or http(s):// or git:// URL.
            name: Of the new repository; None takes the source's.

        Raises:
            HostError: What went wrong, without credentials.
            ClosedError: The host does not run.
        """
        if self._loop is None or self._stopped:
            raise ClosedError("the git host is not running")
        return asyncio.run_coroutine_threadsafe(self._import(source, name), self._loop).result()

    def repositories(self) -> list[Repository]:
        """Return all hosted repositories, oldest first.

        Raises:
            ClosedError: The host does not run.
        """
        if self._store is None or self._stopped:
            raise ClosedError("the git host is not running")
        return self._store.all()

    def wait(self) -> None:
        """Block until the host has ended."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            with listener:
                asyncio.run(self._serve(listener, ready))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            if ready.done():
                _log.exception("the git host died")
            else:
                ready.set_exception(error)
        finally:
            if self._store is not None:
                self._store.close()

    async def _serve(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            from git_env.host.serving import make_server
        except ImportError as error:
            raise MissingExtraError("the embedded git host", "git") from error
        assert self.root is not None
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._store = RepositoryStore(self.root, self._settings)
        for source in self._imports:
            await self._import(source, None)
        if not self._store.all():
            sample = NewRepository(self.username, sample_repository.NAME, sample_repository.DESCRIPTION)
            await self._store.write(sample, sample_repository.fast_import_stream())
        self._server = make_server(
            self._store,
            Accounts(self.username, self.password),
            self._settings,
            on_ready=lambda: ready.set_result(None),
            log_requests=self._log_requests,
        )
        await self._server.serve(sockets=[listener])

    def _end(self) -> None:
        """Runs on the host's loop: end gracefully, or at once while still starting."""
        if self._server is not None and self._server.started:
            self._server.should_exit = True
        elif self._task is not None:
            self._task.cancel()

    async def _import(self, source: Path | str, name: str | None) -> Repository:
        assert self._store is not None
        clone, suggested = await asyncio.to_thread(_locate, source)
        return await self._store.migrate(NewRepository(self.username, name or suggested), clone)


def _locate(source: Path | str) -> tuple[CloneSource, str]:
    """Return what to clone, and a name for it."""
    if isinstance(source, str) and "://" in source:
        return remote_source(source), name_from_address(source)
    path = Path(source).expanduser().resolve()
    return local_source(path), name_from_address(str(path))
