"""SessionWorkspace: one session's ``/workspace``: checkouts in and out, git and files inside its sandbox.

Checkouts come in and go out by rename. Nothing but this session's sandbox can reach them in between, and
whatever runs on them runs there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from git_env.server.checkouts import Checkout, Checkouts, WorkingDirectory
from git_env.server.config_guard import ConfigGuard
from git_env.server.fresh_checkout import quoted_path
from git_env.server.hardening import ENFORCED, Setting, as_environ
from git_env.server.mirrors import Mirror, StartingPoint
from git_env.server.policy.refusal import Refusal
from git_env.server.saved_workspace import SavedFiles, SavedWorkspace
from git_env.server.session_sandbox import MIRRORS, SCRATCH, GitResult, SessionSandbox
from git_env.server.shared_state import SharedState
from openenv_gym.sandbox import SandboxProcess


class SessionWorkspace:
    """Opened with the session's first reset, closed with the session.

    Args:
        shared: What the sessions share; started.

    Raises:
        SandboxError: Nothing can confine commands here.
    """

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._limits = shared.settings.limits
        self.root = shared.directory / "sessions" / secrets.token_hex(8)
        self.root.mkdir(parents=True)
        self.checkouts = Checkouts(self.root)
        self._written_bytes = 0
        self._disk_full = False
        try:
            self._sandbox = SessionSandbox(
                shared.settings, self.root, shared.mirrors.directory, shared.git.config_file
            )
        except BaseException:
            self.root.rmdir()
            raise
        self.mechanism = self._sandbox.mechanism
        self._configs = ConfigGuard(self.root, self._sandbox)

    @property
    def usable(self) -> bool:
        """Whether the sandbox still works."""
        return self._sandbox.usable

    def set_deadline(self, seconds: float | None) -> None:
        """Have commands end within ``seconds`` from now, all together; None leaves them their own limit."""
        self._sandbox.deadline = None if seconds is None else time.monotonic() + seconds

    def close(self) -> None:
        """End the sandbox and remove the files."""
        self._sandbox.close()
        self._shared.pool.discard(self.root)
        self._shared.pool.sweep()

    # --- checkouts

    def clear(self) -> None:
        """Forget the episode: an empty workspace, an empty ``/tmp``."""
        self.checkouts.clear()
        self._configs.forget()
        self._written_bytes, self._disk_full = 0, False
        for entry in list(self.root.iterdir()):
            self._shared.pool.discard(entry)
        self._sandbox.empty_scratch()

    def add(self, start: StartingPoint, name: str) -> Checkout:
        """Put a fresh checkout into the workspace.

        Raises:
            Refusal: ``name`` is no directory name, or taken.
            TrustedGitError: It could not be built.
        """
        return self.place(start.mirror, name, partial(self._shared.pool.take, start))

    def place(self, mirror: Mirror, name: str, put: Callable[[Path], None]) -> Checkout:
        """Take a repository into the workspace that trusted code has made, or makes now.

        Args:
            mirror: Where it borrows objects.
            name: The directory.
            put: Moves it to the path it is given.

        Raises:
            Refusal: ``name`` is no directory name, or taken.
        """
        checkout = self.checkouts.new(name, mirror)
        put(self.root / checkout.name)
        self.checkouts.add([checkout])
        self._configs.trust([checkout.name])
        return checkout

    # --- snapshots

    def save(self, max_bytes: int) -> SavedWorkspace:
        """Copy everything in the workspace, sharing git's objects.

        Args:
            max_bytes: Bytes that the copy may take.

        Raises:
            Refusal: It would take more.
        """
        checkouts = self.checkouts.all()
        files = SavedFiles(self._shared, self.root, checkouts, max_bytes=max_bytes)
        trusted = self._configs.trusted()
        return SavedWorkspace(files, checkouts, trusted, self._written_bytes, self._disk_full)

    def load(self, saved: SavedWorkspace) -> None:
        """Replace everything in the workspace by a copy of what was saved.

        Raises:
            OSError: It cannot be copied; the workspace holds a part of it.
        """
        self.clear()
        self._shared.pool.sweep()
        saved.files.copy_to(self.root, self._sandbox.owner)
        self.checkouts.add(saved.checkouts)
        self._configs.trust(saved.trusted)
        self._written_bytes, self._disk_full = saved.written_bytes, saved.disk_full

    # --- git

    def run_git(
        self,
        where: WorkingDirectory,
        argv: Iterable[str],
        *,
        now: int,
        settings: Iterable[Setting] = (),
        environ: Mapping[str, str] | None = None,
    ) -> GitResult:
        """Run git in the sandbox, in a repository that is named, never searched for.

        Args:
            where: The directory.
            argv: Arguments that the policy let through, or the environment's own.
            now: Seconds since 1970 that git takes for the present.
            settings: Additions to the enforced settings.
            environ: Additions to the environment.

        Raises:
            Refusal: The repository's own configuration was tampered with.
        """
        done = self._sandbox.run(
            ["git", *argv],
            cwd=where.path,
            environ={**self._git_environ(where.checkout, now, settings), **(environ or {})},
        )
        self._disk_full = done.disk_full
        return done

    @contextmanager
    def open_git(self, where: WorkingDirectory, argv: Iterable[str], *, now: int) -> Iterator[SandboxProcess]:
        """Have git run in the sandbox for the length of a ``with`` block, to be spoken to over pipes.

        Arguments and errors: see `run_git`.
        """
        process = self._sandbox.popen(
            ["git", *argv],
            cwd=where.path,
            environ=self._git_environ(where.checkout, now),
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def run_program(self, where: WorkingDirectory, argv: Iterable[str]) -> GitResult:
        """Run another program than git in the sandbox; it may do there what it likes."""
        done = self._sandbox.run(argv, cwd=where.path, environ={"LC_ALL": "C.UTF-8"})
        self._disk_full = done.disk_full
        return done

    def _git_environ(self, checkout: Checkout, now: int, settings: Iterable[Setting] = ()) -> dict[str, str]:
        """The environment of a git process that works on a repository, whose configuration is looked at."""
        self._configs.check(checkout.name)
        worktree = self._sandbox.inside(checkout.path)
        mirror = self.mirror_path(checkout.mirror)
        date = f"@{now} +0000"
        return {
            **self._sandbox.environ,
            **as_environ((*ENFORCED, *settings)),
            "GIT_DIR": f"{worktree}/.git",
            "GIT_WORK_TREE": worktree,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(mirror + "/objects"),
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            # What git's own date code takes for the present, in release builds too.
            "GIT_TEST_DATE_NOW": str(now),
        }

    def mirror_path(self, mirror: Mirror) -> str:
        """Where a mirror lies, seen from inside."""
        return self._sandbox.inside(f"{MIRRORS}/{mirror.path.name}")

    def require_space(self) -> None:
        """Refuse when the workspace is full.

        Raises:
            Refusal: It is.
        """
        if self._disk_full or self._written_bytes > self._limits.workspace_bytes:
            bound = self._limits.workspace_bytes
            raise Refusal(f"the workspace may hold {bound} bytes and is full; reset the environment")

    # --- the agent's files

    def read_file(self, path: str) -> str:
        """The text of a file.

        Raises:
            Refusal: It does not exist, is too large, is not text, or may not be read.
        """
        shown = self.checkouts.locate_file(path)
        try:
            data = self._sandbox.read_file(shown, self._limits.output_bytes, forbidden=[".git"])
        except OSError as error:
            raise Refusal(f"cannot read {shown}: {error.strerror}") from None
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Refusal(f"{shown} is not UTF-8 text") from None

    def write_file(self, path: str, content: str) -> int:
        """Create or replace a file; returns its size in bytes.

        Raises:
            Refusal: It may not be written.
        """
        shown = self.checkouts.locate_file(path)
        try:
            data = content.encode()
        except UnicodeEncodeError:
            raise Refusal("the content holds half of a surrogate pair, which is not Unicode text") from None
        if len(data) > self._limits.file_bytes:
            raise Refusal(f"a file may hold {self._limits.file_bytes} bytes, not {len(data)}")
        try:
            self._sandbox.write_file(shown, data, forbidden=[".git"])
        except OSError as error:
            raise Refusal(f"cannot write {shown}: {error.strerror}") from None
        self._written_bytes += len(data)
        return len(data)

    # --- the environment's own files

    def read_git_file(self, checkout: Checkout, name: str) -> str:
        """A file of a repository's ``.git``; "" when there is none."""
        try:
            data = self._sandbox.read_file(f"{checkout.path}/.git/{name}", 1 << 20)
        except FileNotFoundError:
            return ""
        return data.decode(errors="surrogateescape")

    def write_git_file(self, checkout: Checkout, name: str, text: str) -> None:
        """Write a file of a repository's ``.git``."""
        data = text.encode(errors="surrogateescape")
        self._sandbox.write_file(f"{checkout.path}/.git/{name}", data)

    def scratch_path(self, name: str) -> str:
        """A path outside all repositories, as programs inside name it."""
        return self._sandbox.inside(f"{SCRATCH}/{name}")

    def take_scratch_file(self, name: str, max_bytes: int) -> bytes:
        """Read a file of `scratch_path` and leave nothing of it.

        Raises:
            OSError: It does not exist, or is larger.
        """
        data = self._sandbox.read_file(f"{SCRATCH}/{name}", max_bytes)
        self._sandbox.empty_scratch()
        return data
