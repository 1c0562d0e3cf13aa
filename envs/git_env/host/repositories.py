"""The repositories of one host on disk: created, imported, listed and deleted, each step all or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from git_env.host.admission import Admission
from git_env.host.clone_source import CloneSource
from git_env.host.errors import ConflictError, HostError, InvalidError, NotFoundError, TooLargeError
from git_env.host.git_process import GitConfiguration, GitFailedError, GitTimeoutError, run_git
from git_env.host.names import is_ref, lookup_key, repository_name, user_name
from git_env.host.settings import HostSettings

_RECORD = "openenv-gym.json"
_SIZE_CHECK_SECONDS = 0.25
_SHORT_SECONDS = 60.0


@dataclass(frozen=True)
class Repository:
    """One hosted repository.

    Attributes:
        id: A number of its own, never used again.
        owner: Its user's name.
        name: As it was given; looked up without regard to case.
        path: The bare repository's folder.
        created_at: Seconds since the epoch.
        updated_at: Likewise; the last push.
        original_url: Where it was imported from; "" for local paths.
    """

    id: int
    owner: str
    name: str
    path: Path
    description: str
    private: bool
    original_url: str
    created_at: float
    updated_at: float

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names."""
        head = (self.path / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        return head.removeprefix("ref: refs/heads/")

    @property
    def empty(self) -> bool:
        """Whether there is no branch."""
        packed = self.path / "packed-refs"
        if packed.is_file() and b" refs/heads/" in packed.read_bytes():
            return False
        return not any(files for _, _, files in os.walk(self.path / "refs" / "heads"))

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return folder_size(self.path)

    def touch(self) -> None:
        """Note that a push has come in."""
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            os.utime(self.path / _RECORD)


@dataclass(frozen=True)
class NewRepository:
    """What a repository to be created is told."""

    owner: str
    name: str
    description: str = ""
    private: bool = False
    default_branch: str = "main"


class RepositoryStore:
    """A folder of bare repositories, ``repositories/<owner>/<name>.git``, held by one host at a time.

    A repository is built in ``incoming/`` and moved into place when it is complete, so that no reader and no
    crash ever sees a half of one.
    """

    def __init__(self, root: Path, settings: HostSettings) -> None:
        self._settings = settings
        self._repositories = root / "repositories"
        self._incoming = root / "incoming"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock_folder(root)
        shutil.rmtree(self._incoming, ignore_errors=True)  # what a crash left there
        self._repositories.mkdir(mode=0o700, exist_ok=True)
        self._incoming.mkdir(mode=0o700)
        self.git = GitConfiguration.write(
            root / "home", allow_push=settings.allow_push, push_bytes=settings.limits.push_bytes
        )
        self._migrations = Admission(settings.limits.migrations, settings.limits.queue_seconds)
        self._reserved: set[Path] = set()
        self._last_id = max((repository.id for repository in self.all()), default=0)

    def close(self) -> None:
        """Let another host have the folder."""
        self._lock.close()

    def all(self) -> list[Repository]:
        """Return every repository, ordered by id."""
        found = [_load(record.parent) for record in self._repositories.glob(f"*/*.git/{_RECORD}")]
        return sorted((repository for repository in found if repository), key=lambda each: each.id)

    def get(self, owner: str, name: str) -> Repository:
        """Return one repository.

        Raises:
            NotFoundError: There is none of this name.
        """
        repository = _load(self._path(owner, name))
        if repository is None:
            raise NotFoundError
        return repository

    def delete(self, repository: Repository) -> None:
        """Remove a repository. Clones that run keep the files they have open."""
        grave = Path(mkdtemp(dir=self._incoming))
        try:
            repository.path.rename(grave / "repository")
        except FileNotFoundError:
            raise NotFoundError from None
        finally:
            shutil.rmtree(grave)

    async def create(self, new: NewRepository) -> Repository:
        """Create an empty repository.

        Raises:
            ConflictError: The name is taken.
            InvalidError: A name is not allowed.
        """
        if not is_ref(new.default_branch):
            raise InvalidError("default_branch is not a valid branch name")
        async with self._staged(new) as path:
            await self._git("init", "--bare", "--quiet", f"--initial-branch={new.default_branch}", str(path))
            return self._publish(path, new, original_url="")

    async def write(self, new: NewRepository, fast_import: bytes) -> Repository:
        """Create a repository from a ``git fast-import`` stream of our own making."""
        async with self._staged(new) as path:
            await self._git("init", "--bare", "--quiet", f"--initial-branch={new.default_branch}", str(path))
            await self._git(f"--git-dir={path}", "fast-import", "--quiet", stdin=fast_import)
            return self._publish(path, new, original_url="")

    async def migrate(self, new: NewRepository, source: CloneSource) -> Repository:
        """Import all branches and tags of another repository.

        What a working checkout holds beyond its commits (changes, the stash, remote-tracking branches) stays
        behind.

        Raises:
            ConflictError: The name is taken.
            InvalidError: The clone failed; the message is git's, without credentials.
            TooLargeError: It grew beyond ``migrate_bytes``.
        """
        async with self._staged(new) as path, self._migrations.place():
            try:
                await self._clone(path, source)
                await self._attach_head(path)
            except GitFailedError as error:
                raise InvalidError(f"Clone failed: {source.redact(str(error))}") from None
            except GitTimeoutError as error:
                raise InvalidError(f"Clone failed: {error}") from None
            return self._publish(path, new, original_url=source.public_url)

    async def _clone(self, path: Path, source: CloneSource) -> None:
        limits = self._settings.limits
        # A home of its own: the credentials lie there, in the file that git's `store` helper reads.
        home = path.parent / "home"
        home.mkdir()
        environ = self.git.environ(protocols=source.protocols) | {"HOME": str(home)}
        settings: tuple[str, ...] = ()
        if source.credential is not None:
            (home / ".git-credentials").write_text(source.credential, encoding="utf-8")
            settings = ("-c", "credential.helper=store")
        options = ("--bare", "--quiet", "--no-local", "--template=", "--origin=source")
        arguments = [*settings, "clone", *options, "--", source.address, str(path)]
        clone = asyncio.ensure_future(run_git(arguments, environ, timeout=limits.migrate_seconds))
        try:
            while not (await asyncio.wait({clone}, timeout=_SIZE_CHECK_SECONDS))[0]:
                await self._check_size(path)
            await clone
            await self._check_size(path)
        finally:
            clone.cancel()
            await asyncio.wait({clone})
        await self._git("config", f"--file={path / 'config'}", "--remove-section", "remote.source")

    async def _check_size(self, path: Path) -> None:
        limit = self._settings.limits.migrate_bytes
        if await asyncio.to_thread(folder_size, path) > limit:
            raise TooLargeError(f"The repository is larger than {limit} bytes.")

    async def _attach_head(self, path: Path) -> None:
        """Make HEAD name a branch that exists: a detached checkout (as CI makes them) has none."""
        branches = await self._branches(path)
        head = (path / "HEAD").read_text(encoding="utf-8").strip()
        current = head.removeprefix("ref: refs/heads/")
        if current in branches or (head != current and not branches):
            return
        if head == current:  # detached
            branch = next((name for name, commit in branches.items() if commit == head), None)
            if branch is None:
                branch = "main" if "main" not in branches else f"detached-{head[:12]}"
                await self._git(f"--git-dir={path}", "update-ref", f"refs/heads/{branch}", head)
        else:
            branch = next((name for name in ("main", "master") if name in branches), min(branches))
        await self._git(f"--git-dir={path}", "symbolic-ref", "HEAD", f"refs/heads/{branch}")

    async def _branches(self, path: Path) -> dict[str, str]:
        lines = await self._git(
            f"--git-dir={path}", "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"
        )
        pairs = (line.split(" refs/heads/", 1) for line in lines.decode(errors="replace").splitlines())
        return {name: commit for commit, name in pairs}

    async def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return await run_git(arguments, self.git.environ(), timeout=_SHORT_SECONDS, stdin=stdin)

    @contextlib.asynccontextmanager
    async def _staged(self, new: NewRepository) -> AsyncIterator[Path]:
        """Reserve the name and lend a folder to build in, removed afterwards."""
        user_name(new.owner)
        repository_name(new.name)
        place = self._path(new.owner, new.name)
        if place in self._reserved or place.exists():
            raise ConflictError("The repository with the same name already exists.")
        self._reserved.add(place)
        folder = Path(mkdtemp(dir=self._incoming))
        try:
            yield folder / "repository.git"
        finally:
            self._reserved.discard(place)
            await asyncio.to_thread(shutil.rmtree, folder)

    def _publish(self, staged: Path, new: NewRepository, *, original_url: str) -> Repository:
        self._last_id += 1
        record = {"id": self._last_id, "original_url": original_url, **asdict(new)}
        del record["default_branch"]  # HEAD says it
        record["created_at"] = staged.stat().st_ctime
        (staged / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        place = self._path(new.owner, new.name)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        staged.rename(place)
        return self.get(new.owner, new.name)

    def _path(self, owner: str, name: str) -> Path:
        return self._repositories / lookup_key(owner) / f"{lookup_key(name)}.git"


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - half the cost of Path
            except FileNotFoundError:
                continue
    return total


def _load(path: Path) -> Repository | None:
    record = path / _RECORD
    try:
        fields = json.loads(record.read_text(encoding="utf-8"))
        updated_at = record.stat().st_mtime
    except FileNotFoundError:
        return None  # no such repository, or deleted just now
    return Repository(path=path, updated_at=updated_at, **fields)


def _lock_folder(root: Path) -> IO[str]:
    """Take the folder for this host; the lock ends with the file's last close."""
    lock = (root / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise HostError(f"another git host already serves {root}") from None
    return lock
