"""MirrorStore: one bare copy of every repository in use, shared by all sessions of the server.

A mirror is fetched once, by trusted code, and only ever grows: fresh checkouts borrow its objects, so it
is never repacked or pruned. Sessions read it and cannot write to it.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from git_env.server.gitea import Repository
from git_env.server.policy.refusal import Refusal
from git_env.server.trusted_git import HostAccess, TrustedGit, TrustedGitError

_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_FETCH = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head")
_REF_FORMAT = "%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(refname)"


Key = tuple[str, int, str | None, str | None, str]


@dataclass(frozen=True)
class Mirror:
    """A mirror as of its last fetch.

    Attributes:
        repository: What it mirrors.
        url: The address agents see as ``origin``.
        path: The bare repository.
        generation: Counts fetches that brought a change, so that nothing prepared before is used after.
        heads: Commit of each branch.
        tags: Object of each tag.
        peeled: Commit that an annotated tag leads to, by tag.
        newest: When the newest commit was made (seconds since 1970); 0 without commits.
    """

    repository: Repository
    url: str
    path: Path
    generation: int
    heads: dict[str, str]
    tags: dict[str, str]
    peeled: dict[str, str]
    newest: int

    @property
    def objects(self) -> Path:
        """The object store that checkouts borrow from."""
        return self.path / "objects"


@dataclass(frozen=True)
class StartingPoint:
    """A state that a fresh checkout can have.

    Attributes:
        mirror: Where it comes from.
        commit: What is checked out; None in a repository without commits.
        branch: The local branch that HEAD is on; None when it is detached.
        name: What was asked for: a branch, a tag or a commit.
    """

    mirror: Mirror
    commit: str | None
    branch: str | None
    name: str

    @property
    def key(self) -> Key:
        """Equal for equal starting points."""
        mirror = self.mirror
        return (mirror.repository.full_name, mirror.generation, self.commit, self.branch, self.name)


class MirrorStore:
    """Fetches mirrors on first use and finds starting points in them. Thread-safe.

    Args:
        directory: Where the mirrors lie; created.
        git: Runs git.
        access: Permission to talk to the host.
        host_url: The host's real address.
        shown_url: What agents see in its place.
        timeout: Seconds for one fetch.
    """

    def __init__(
        self,
        directory: Path,
        git: TrustedGit,
        access: HostAccess,
        host_url: str,
        shown_url: str,
        *,
        timeout: float = 600.0,
    ) -> None:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.directory = directory
        self._git = git
        self._access = access
        self._host_url = host_url
        self._shown_url = shown_url
        self._timeout = timeout
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._mirrors: dict[str, Mirror] = {}
        # References are the operator's, not agents', so these stay few.
        self._found: dict[tuple[str, int, str | None], StartingPoint] = {}

    def shown_url(self, full_name: str) -> str:
        """The address of a repository as agents see it."""
        return f"{self._shown_url}/{full_name}.git"

    def fetch_url(self, full_name: str) -> str:
        """The address of a repository as trusted git uses it."""
        return f"{self._host_url}/{full_name}.git"

    def get(self, repository: Repository) -> Mirror:
        """The mirror of ``repository``, fetched if this is its first use.

        Raises:
            TrustedGitError: It could not be fetched.
        """
        mirror = self._mirrors.get(repository.full_name)
        if mirror is not None:
            return mirror
        with self._lock(repository.full_name):
            return self._mirrors.get(repository.full_name) or self._fetch(repository)

    def refresh(self, repository: Repository) -> Mirror:
        """Fetch again and return the mirror as it is now.

        Raises:
            TrustedGitError: It could not be fetched.
        """
        with self._lock(repository.full_name):
            return self._fetch(repository)

    def starting_point(self, repository: Repository, ref: str | None = None) -> StartingPoint:
        """Find a branch, tag or commit.

        Args:
            repository: Where.
            ref: What; None for the default branch. Unknown ones are looked up once more after a new fetch.

        Raises:
            Refusal: There is no such thing.
            TrustedGitError: The repository could not be fetched.
        """
        mirror = self.get(repository)
        key = (repository.full_name, mirror.generation, ref)
        found = self._found.get(key)
        if found is None:
            found = self._find(mirror, ref) or self._find(self.refresh(repository), ref)
        if found is None:
            raise Refusal(f"{ref!r} is no branch, tag or commit of {repository.full_name}")
        self._found[key] = found
        return found

    def _find(self, mirror: Mirror, ref: str | None) -> StartingPoint | None:
        if ref is None:
            branch = mirror.repository.default_branch
            if branch not in mirror.heads and mirror.heads:
                branch = min(mirror.heads)
            return StartingPoint(mirror, mirror.heads.get(branch), branch, branch)
        branch = ref.removeprefix("refs/heads/").removeprefix("origin/")
        if branch in mirror.heads:
            return StartingPoint(mirror, mirror.heads[branch], branch, branch)
        commit = self._commit(mirror, ref)
        return None if commit is None else StartingPoint(mirror, commit, None, ref)

    def _commit(self, mirror: Mirror, ref: str) -> str | None:
        if ref.startswith("-") or not ref.isprintable():
            return None
        try:
            found = self._git.run(
                ["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"], git_dir=mirror.path
            )
        except TrustedGitError:
            return None  # with --quiet, failing is how rev-parse says no
        return found.strip()

    def _lock(self, full_name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(full_name, threading.Lock())

    def _fetch(self, repository: Repository) -> Mirror:
        # A digest, because names differ in case only on some hosts and paths do not on some file systems.
        digest = hashlib.sha256(repository.full_name.encode()).hexdigest()[:20]
        path = self.directory / f"{digest}.git"
        if not path.exists():
            self._git.run(["init", "--quiet", "--bare", "--template=", str(path)])
        self._git.run(
            [*_FETCH, self.fetch_url(repository.full_name), *_REFSPECS],
            git_dir=path,
            access=self._access,
            timeout=self._timeout,
        )
        previous = self._mirrors.get(repository.full_name)
        mirror = self._read(repository, path, previous.generation if previous else 0)
        if mirror == previous:
            return previous
        mirror = replace(mirror, generation=mirror.generation + 1)
        self._mirrors[repository.full_name] = mirror
        return mirror

    def _read(self, repository: Repository, path: Path, generation: int) -> Mirror:
        heads, tags, peeled = {}, {}, {}
        for line in self._git.run(["for-each-ref", f"--format={_REF_FORMAT}"], git_dir=path).splitlines():
            name, kind, target, target_kind, ref = line.split(" ", 4)
            if ref.startswith("refs/heads/"):
                heads[ref.removeprefix("refs/heads/")] = name
            elif ref.startswith("refs/tags/"):
                tag = ref.removeprefix("refs/tags/")
                tags[tag] = name
                if kind == "tag" and target_kind == "commit":
                    peeled[tag] = target
        newest = self._git.run(
            [
                "for-each-ref",
                "--sort=-committerdate",
                "--count=1",
                "--format=%(committerdate:unix)",
                "refs/heads",
            ],
            git_dir=path,
        ).strip()
        url = self.shown_url(repository.full_name)
        return Mirror(repository, url, path, generation, heads, tags, peeled, int(newest or 0))
