"""Reads branches and commits of a hosted repository with git's plumbing."""

from __future__ import annotations

from dataclasses import dataclass

from git_env.host.errors import NotFoundError
from git_env.host.git_process import GitConfiguration, GitFailedError, run_git
from git_env.host.names import is_hash, is_ref
from git_env.host.repositories import Repository

_SECONDS = 60.0
_FIELD = "%x1f"
_FORMAT = _FIELD.join(("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"))


@dataclass(frozen=True)
class Person:
    """An author or committer, and when; ``date`` is ISO 8601."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class Branch:
    """A branch and its newest commit."""

    name: str
    commit: Commit


class History:
    """The commits of one repository."""

    def __init__(self, repository: Repository, git: GitConfiguration) -> None:
        self._git_dir = f"--git-dir={repository.path}"
        self._default_branch = repository.default_branch
        self._configuration = git

    async def resolve(self, revision: str | None) -> str:
        """Return the hash of a branch, tag or (abbreviated) hash; None means the default branch.

        Raises:
            NotFoundError: There is none, or the text is not a plain name.
        """
        name = self._default_branch if revision is None else revision
        candidates = [f"refs/heads/{name}", f"refs/tags/{name}", name] if is_ref(name) else []
        for candidate in candidates:
            if candidate == name and not is_hash(name):
                continue
            try:
                output = await self._git("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
            except GitFailedError:
                continue
            return output.decode().strip()
        raise NotFoundError

    async def count(self, start: str, path: str | None = None) -> int:
        """Return how many commits can be reached from ``start``; with ``path``, those that change it."""
        return int(await self._git("rev-list", "--count", start, "--", *([path] if path else [])))

    async def commits(self, start: str, *, skip: int, limit: int, path: str | None = None) -> list[Commit]:
        """Return commits from ``start`` backwards in git's own order."""
        bounds = (f"--skip={skip}", f"--max-count={limit}")
        return await self._log(*bounds, start, "--", *([path] if path else []))

    async def branch(self, name: str) -> Branch:
        """Return one branch.

        Raises:
            NotFoundError: There is none of this name.
        """
        for candidate, sha in await self._heads(f"refs/heads/{name}" if is_ref(name) else "refs/none"):
            if candidate == name:
                return Branch(name, (await self._log("--no-walk", sha, "--"))[0])
        raise NotFoundError

    async def branches(self, *, skip: int, limit: int) -> tuple[list[Branch], int]:
        """Return one page of branches by name, and how many there are in all."""
        heads = await self._heads("refs/heads")
        page = heads[skip : skip + limit]
        if not page:
            return [], len(heads)
        tips = await self._log("--no-walk=unsorted", *(sha for _, sha in page), "--")
        commits = {commit.sha: commit for commit in tips}
        return [Branch(name, commits[sha]) for name, sha in page], len(heads)

    async def _heads(self, pattern: str) -> list[tuple[str, str]]:
        output = await self._git("for-each-ref", "--format=%(objectname) %(refname)", pattern)
        pairs = (line.split(" refs/heads/", 1) for line in _text(output).splitlines())
        return [(name, sha) for sha, name in pairs]

    async def _log(self, *arguments: str) -> list[Commit]:
        output = await self._git("log", "-z", f"--format={_FORMAT}", "--encoding=UTF-8", *arguments)
        return [_commit(record) for record in _text(output).split("\0") if record]

    async def _git(self, *arguments: str) -> bytes:
        return await run_git((self._git_dir, *arguments), self._configuration.environ(), timeout=_SECONDS)


def _commit(record: str) -> Commit:
    # Names cannot hold the separator's place value: the message, which can, is the last field.
    sha, tree, parents, *people, message = record.split("\x1f", 9)
    author, committer = Person(*people[:3]), Person(*people[3:])
    return Commit(sha, tree, tuple(parents.split()), author, committer, message)


def _text(output: bytes) -> str:
    return output.decode(errors="replace")
