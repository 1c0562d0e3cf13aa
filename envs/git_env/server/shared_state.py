"""SharedState: what all sessions of one server share - the git host, its mirrors, prepared checkouts."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from git_env.server.checkout_pool import MAX_STARTING_POINTS, CheckoutPool, remove_tree
from git_env.server.fresh_checkout import build_checkout
from git_env.server.gitea import GiteaClient, GitHostError, Repository
from git_env.server.mirrors import MirrorStore, StartingPoint
from git_env.server.policy.refusal import Refusal
from git_env.server.settings import GitSettings, Task
from git_env.server.trusted_git import HostAccess, TrustedGit, TrustedGitError
from openenv_gym.errors import ClosedError

if TYPE_CHECKING:
    from git_env.host import GitHost

logger = logging.getLogger(__name__)

_PREFIX = "openenv-git-"
# What agents see in place of the embedded host's address, whose port differs from run to run.
EMBEDDED_URL = "http://git.internal"


class SharedState:
    """Started by the first session that needs it, closed with the server. Thread-safe.

    Args:
        settings: What the operator chose; by default read from the environment's variables.
        attributes: Git attributes that in every checkout go before the repository's own.
    """

    def __init__(self, settings: GitSettings | None = None, *, attributes: str = "") -> None:
        self.settings = settings or GitSettings.from_environ()
        self._attributes = attributes
        self.ready = False
        self._lock = threading.Lock()
        self._closed = False
        self._started = False
        self._cleanup = ExitStack()
        self._known: dict[str, Repository] = {}
        self._owner = ""
        # Made by start():
        self.directory: Path
        self.git: TrustedGit
        self.access: HostAccess
        self.client: GiteaClient
        self.mirrors: MirrorStore
        self.pool: CheckoutPool
        self.snapshots: Path

    def open(self) -> None:
        """Begin anew after `close`, as if nothing had been started ever."""
        with self._lock:
            if self._closed:
                self._closed = self._started = self.ready = False
                self._known.clear()

    def start(self) -> None:
        """Start what is not started yet; returns when mirrors can be fetched.

        Raises:
            StartupError: The embedded git host could not start.
            ClosedError: It was closed.
        """
        with self._lock:
            if self._closed:
                raise ClosedError("the Git environment's server is shutting down")
            if not self._started:
                with ExitStack() as cleanup:
                    self._start(cleanup)
                    self._cleanup = cleanup.pop_all()
                self._started = True

    def close(self) -> None:
        """Stop the host, the background thread, and remove every file. Safe in any state."""
        with self._lock:
            self._closed = True
            self._cleanup.close()

    def __enter__(self) -> SharedState:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def repositories(self) -> list[Repository]:
        """Every repository of the host, asked now.

        Raises:
            GitHostError: The host does not answer.
        """
        try:
            found = self.client.repositories()
        except GitHostError:
            self.ready = False
            raise
        self.ready = True
        self._known = {repository.full_name: repository for repository in found}
        return found

    def find(self, name: str) -> Repository:
        """One repository by ``name`` or ``owner/name``; the host is asked if the name is new.

        Raises:
            Refusal: There is none, or several have this name.
            GitHostError: The host does not answer.
        """
        wanted = name.removesuffix(".git")
        full_name = wanted if "/" in wanted else f"{self._owner}/{wanted}"
        if full_name not in self._known:
            repository = self.client.find(full_name)
            if repository is not None:
                self._known[repository.full_name] = repository
                return repository
        found = self._match(wanted)
        if not found:
            self.repositories()
            found = self._match(wanted)
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(repository.full_name for repository in found)
            raise Refusal(f"several repositories are called {name!r}; name one of: {names}")
        known = ", ".join(sorted(self._known)[:50]) or "none"
        raise Refusal(f"the git host has no repository {name!r}; repositories: {known}")

    def starting_point(self, task: Task) -> StartingPoint:
        """Where a task's episodes start.

        Raises:
            Refusal: The repository or the ref does not exist.
            GitHostError: The host does not answer.
            TrustedGitError: The repository could not be fetched.
        """
        return self.mirrors.starting_point(self.find(task.repository), task.ref)

    def prepare(self) -> None:
        """Fetch the tasks' repositories and build first checkouts, so that no episode waits."""
        self.start()
        for number, task in enumerate(self.settings.tasks.values()):
            try:
                start = self.starting_point(task)
                if number < MAX_STARTING_POINTS:
                    self.pool.prepare(start)
            except (Refusal, GitHostError, TrustedGitError) as error:
                if self._closed:
                    return
                logger.warning("task %s cannot be prepared: %s", task.name, error)

    def _match(self, name: str) -> list[Repository]:
        """Known repositories of this name; one of the own user goes before all others."""
        for full_name in (name, f"{self._owner}/{name}"):
            if full_name in self._known:
                return [self._known[full_name]]
        return [repository for repository in self._known.values() if repository.name == name]

    def _start(self, cleanup: ExitStack) -> None:
        settings = self.settings
        self.directory = _own_directory(settings.workspace_dir, cleanup)
        url, username, password = settings.gitea_url, settings.username, settings.password
        shown_url = url or EMBEDDED_URL
        if url is None:
            embedded = _start_host(settings, self.directory / "host", cleanup)
            url, username, password = embedded.url, embedded.username, embedded.password
        self._owner = username
        self.client = cleanup.enter_context(GiteaClient(url, username, password))
        self.git = TrustedGit(self.directory / "settings")
        self.access = HostAccess(url, username, password)
        self.mirrors = MirrorStore(self.directory / "mirrors", self.git, self.access, url, shown_url)
        build = partial(build_checkout, self.git, attributes=self._attributes)
        self.pool = CheckoutPool(self.directory / "checkouts", build, prepared=settings.prepared)
        self.snapshots = self.directory / "snapshots"
        self.snapshots.mkdir(mode=0o700)
        # Run backwards: build nothing more, kill what is being built, wait for the thread.
        cleanup.callback(self.pool.join)
        cleanup.callback(self.git.close)
        cleanup.callback(self.pool.stop)


def _start_host(settings: GitSettings, root: Path, cleanup: ExitStack) -> GitHost:
    from git_env.host import GitHost, HostSettings

    host_settings = HostSettings(allow_push=settings.allow_push)
    return cleanup.enter_context(GitHost(root=root, imports=settings.imports, settings=host_settings))


def _own_directory(base: Path | None, cleanup: ExitStack) -> Path:
    """Make a private directory that is locked while its server lives; remove those of servers that died."""
    parent = base or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    # Locked before it gets its name, so that nobody takes it for abandoned.
    fresh = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=parent)).resolve()
    lock = cleanup.enter_context((fresh / "lock").open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Sandboxes' users may pass through to what they know the name of, and list nothing.
    fresh.chmod(0o711)
    directory = fresh.with_name(fresh.name.removeprefix("."))
    fresh.rename(directory)
    cleanup.callback(remove_tree, directory)
    return directory


def _remove_abandoned(parent: Path) -> None:
    for directory in parent.glob(f"{_PREFIX}*/"):
        try:
            with (directory / "lock").open("r+") as lock:
                if os.fstat(lock.fileno()).st_uid != os.getuid():
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(directory)
        except (FileNotFoundError, PermissionError, BlockingIOError):
            continue  # somebody else's, or alive
