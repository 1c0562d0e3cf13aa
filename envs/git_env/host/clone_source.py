"""Which addresses may be imported: http(s) and git URLs, and local repositories below allowed folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from git_env.host.errors import InvalidError

_REMOTE_SCHEMES = {"http": "http:https", "https": "https", "git": "git"}
_MAX_ADDRESS = 2048
_HOST_NAME = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9.:\[\]_-]*")
_USERINFO = re.compile(r"(?<=://)[^/\s@]*@")


@dataclass(frozen=True)
class CloneSource:
    """An address that git may be given.

    Attributes:
        address: What git gets as its last argument; a URL without credentials or an absolute path.
        protocols: The transports git may open, as ``GIT_ALLOW_PROTOCOL``.
        public_url: What may be shown and stored; "" for local paths.
        credential: A line for git's credential store, or None.
        secrets: Texts that must not appear in any message.
    """

    address: str
    protocols: str
    public_url: str = ""
    credential: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def redact(self, message: str) -> str:
        """Return ``message`` without this source's credentials, and without any ``user:password@``."""
        for secret in self.secrets:
            message = message.replace(secret, "***")
        return _USERINFO.sub("***@", message)


def remote_source(address: str, username: str = "", password: str = "") -> CloneSource:
    """Check an http, https or git URL.

    Args:
        address: May hold ``user:password@``, which is taken out of it.
        username: For the remote; overrides the URL's.
        password: Or token.

    Raises:
        InvalidError: Any other address. The message does not repeat it, for it may hold a password.
    """
    if len(address) > _MAX_ADDRESS or not address.isprintable() or " " in address or "\\" in address:
        raise InvalidError("clone_addr is not a URL")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise InvalidError("clone_addr is not a URL") from None
    if parts.scheme not in _REMOTE_SCHEMES or not address.lower().startswith(f"{parts.scheme}://"):
        raise InvalidError("clone_addr must be an http://, https:// or git:// URL, or an allowed local path")
    if not parts.hostname or not _HOST_NAME.fullmatch(parts.hostname) or port == 0:
        raise InvalidError("clone_addr has no valid host name")
    if parts.query or parts.fragment or parts.path in ("", "/"):
        raise InvalidError("clone_addr must have a path, and no query or fragment")
    return _without_userinfo(parts, username, password)


def _without_userinfo(parts: SplitResult, username: str, password: str) -> CloneSource:
    username = username or unquote(parts.username or "")
    password = password or unquote(parts.password or "")
    if not (username + password).isprintable():
        raise InvalidError("the credentials for clone_addr hold control characters")
    place = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=place).geturl()
    credential = None
    if username or password:
        if parts.scheme == "git":
            raise InvalidError("git:// takes no credentials")
        login = f"{quote(username or 'oauth2', safe='')}:{quote(password, safe='')}"
        credential = f"{parts.scheme}://{login}@{place}\n"
    secrets = {parts.password or "", password, quote(password, safe=""), quote(password)}
    if username and not password:
        secrets |= {parts.username or "", username, quote(username, safe="")}  # https://TOKEN@host
    return CloneSource(
        address=url,
        protocols=_REMOTE_SCHEMES[parts.scheme],
        public_url=url,
        credential=credential,
        secrets=tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True)),
    )


def allowed_local_source(address: str, allow_paths: Sequence[Path]) -> CloneSource:
    """Check a path that came over the API: all that git would read lies below an allowed folder.

    The repository must not change while it is imported; who can write there could otherwise swap links.

    Raises:
        InvalidError: It does not, or it is no repository.
    """
    refusal = InvalidError("You are not allowed to import local repositories from this path.")
    if not address.startswith("/") or not address.isprintable() or len(address) > _MAX_ADDRESS:
        raise refusal
    roots = [path.resolve() for path in allow_paths]

    def allowed(path: Path) -> bool:
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
            return False
        return any(real.is_relative_to(root) for root in roots)

    # Asked first, so that the answer does not tell which paths outside exist.
    if not allowed(Path(address)):
        raise refusal
    source = local_source(Path(address))
    for path in _all_that_git_reads(Path(source.address)):
        if not allowed(path):
            raise refusal
    return source


def local_source(path: Path) -> CloneSource:
    """Find the git folder of a working checkout, a linked worktree or a bare repository.

    Raises:
        InvalidError: There is none.
    """
    try:
        git_dir = _git_dir(path.resolve(strict=True))
    except (OSError, RuntimeError):
        git_dir = None
    if git_dir is None:
        raise InvalidError("There is no git repository at this path.")
    return CloneSource(address=str(git_dir), protocols="file")


def _git_dir(path: Path) -> Path | None:
    """Return the repository's own folder; ``.git`` is a file in linked worktrees and submodules."""
    dot_git = path / ".git"
    if dot_git.is_file():
        marker, _, target = _first_line(dot_git).partition(": ")
        if marker != "gitdir":
            return None
        dot_git = (path / target).resolve(strict=True)
    for candidate in (dot_git, path):
        if (candidate / "HEAD").is_file() and (_common_dir(candidate) / "objects").is_dir():
            return candidate.resolve()
    return None


def _common_dir(git_dir: Path) -> Path:
    """Return where objects and branches lie: a linked worktree's folder only points there."""
    pointer = git_dir / "commondir"
    return (git_dir / _first_line(pointer)) if pointer.is_file() else git_dir


def _all_that_git_reads(git_dir: Path) -> Iterator[Path]:
    """Yield the folders that serve a clone, their symbolic links, and the object stores they borrow from."""
    common = _common_dir(git_dir)
    yield git_dir
    yield common
    for folder in {git_dir, common}:
        yield from _links_below(folder)
    pending, seen = [common / "objects"], set[Path]()
    while pending:
        objects = pending.pop().resolve()
        if objects in seen:
            continue
        seen.add(objects)
        yield objects
        yield from _links_below(objects)
        alternates = objects / "info" / "alternates"
        if alternates.is_file():
            lines = alternates.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            if any(line.startswith('"') for line in lines):
                raise InvalidError("This repository borrows objects from a quoted path, which is not read.")
            pending += [objects / line for line in lines if line and not line.startswith("#")]


def _links_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        if Path(place) == folder and "hooks" in folders:
            folders.remove("hooks")  # never run here, and often a link to somewhere else
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                yield path


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return file.readline(4096).rstrip("\n")
