"""SessionWorkspace: one session's directory, and git and files inside its sandbox.

The agent's ``/workspace`` is a directory that nothing but this session's sandbox can reach. Checkouts come
in and go out by rename; whatever runs, runs in the sandbox.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from git_env.server.command_policy import PathChecks
from git_env.server.config_policy import is_expected
from git_env.server.fresh_checkout import quoted_path
from git_env.server.hardening import ENFORCED, Setting, as_environ, base_environ
from git_env.server.mirrors import Mirror, StartingPoint
from git_env.server.refusal import Refusal
from git_env.server.shared_state import SharedState
from git_env.server.workspace_paths import (
    WORKSPACE,
    check_real_location,
    refuse_git_components,
    resolve_parts,
)
from openenv_gym.sandbox import Limits, Mount, SandboxSpec, open_sandbox

_MIRRORS = "/mirrors"
_SETTINGS = "/settings"
_SCRATCH = "/tmp"  # noqa: S108 - the sandbox's own, emptied with every episode
_TRUNCATED = "\n[output cut: it is longer than {} bytes]"


@dataclass(frozen=True)
class Checkout:
    """A repository in the workspace.

    Attributes:
        name: Its directory below the workspace.
        mirror: Where its objects come from.
    """

    name: str
    mirror: Mirror


@dataclass(frozen=True)
class WorkingDirectory:
    """Where a command runs.

    Attributes:
        checkout: The repository.
        parts: The directory, as parts below the workspace; the first is the repository's own.
    """

    checkout: Checkout
    parts: tuple[str, ...]


@dataclass(frozen=True)
class GitResult:
    """What one git command did, in the agent's terms.

    Attributes:
        exit_code: 0 when it worked.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    exit_code: int
    stdout: str
    stderr: str


class SessionWorkspace:
    """Opened with the session's first reset, closed with the session.

    Args:
        shared: What the sessions share; started.

    Raises:
        SandboxError: Nothing can confine commands here.
    """

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._directory = shared.directory / "sessions" / secrets.token_hex(8)
        self.root = self._directory / "workspace"
        self._scratch = self._directory / "tmp"
        self.root.mkdir(parents=True)
        self._scratch.mkdir()
        self.checkouts: dict[str, Checkout] = {}
        self._verified: dict[str, tuple[int, ...]] = {}
        limits = shared.settings.limits
        spec = SandboxSpec(
            mounts=(
                Mount(str(self.root), WORKSPACE, writable=True),
                Mount(str(self._scratch), _SCRATCH, writable=True),
                Mount(str(shared.mirrors.directory), _MIRRORS),
                Mount(str(shared.git.config_file.parent), _SETTINGS),
            ),
            workdir=WORKSPACE,
            environ={},
            limits=Limits(
                wall_seconds=limits.command_seconds,
                cpu_seconds=limits.command_seconds,
                memory_bytes=limits.memory_bytes,
                processes=limits.processes,
                file_bytes=limits.file_bytes,
                open_files=256,
                output_bytes=limits.output_bytes,
            ),
            network=False,
        )
        self._sandbox = open_sandbox(spec, mechanism=shared.settings.sandbox)
        self._environ = {
            **base_environ(self._inside(f"{_SETTINGS}/{shared.git.config_file.name}")),
            "TMPDIR": self._inside(_SCRATCH),
        }
        # Under Landlock there is no mount namespace: what git prints are real paths.
        pairs = ((self._inside(WORKSPACE), WORKSPACE), (self._inside(_SETTINGS), _SETTINGS))
        self._rewrites = [(real, shown) for real, shown in pairs if real != shown]

    @property
    def mechanism(self) -> str:
        """What confines this session's commands."""
        return self._sandbox.mechanism

    def close(self) -> None:
        """End the sandbox and remove the files."""
        self._sandbox.close()
        self._shared.pool.discard(self._directory)

    # --- checkouts

    def clear(self) -> None:
        """Forget the episode: an empty workspace, an empty scratch directory."""
        self.checkouts.clear()
        self._verified.clear()
        for directory in (self.root, self._scratch):
            for entry in list(directory.iterdir()):
                self._shared.pool.discard(entry)

    def add(self, start: StartingPoint, name: str) -> Checkout:
        """Put a fresh checkout into the workspace.

        Raises:
            Refusal: ``name`` is no directory name, or taken.
            TrustedGitError: It could not be built.
        """
        parts = resolve_parts(name)
        if len(parts) != 1:
            raise Refusal(f"{name!r} must be one directory directly below {WORKSPACE}")
        (directory,) = parts
        target = self.root / directory
        if os.path.lexists(target):
            raise Refusal(f"the directory {WORKSPACE}/{directory} already exists")
        self._shared.pool.take(start, target)
        checkout = Checkout(directory, start.mirror)
        self.checkouts[directory] = checkout
        self._verified[directory] = self._config_stamp(checkout)
        return checkout

    def locate(self, working_dir: str) -> WorkingDirectory:
        """Find the repository that a directory belongs to.

        Raises:
            Refusal: It is in none, or does not exist.
        """
        parts = resolve_parts(working_dir)
        checkout = self.checkouts.get(parts[0]) if parts else None
        shown = "/".join((WORKSPACE, *parts))
        if checkout is None:
            known = (
                ", ".join(f"{WORKSPACE}/{name}" for name in self.checkouts) or "none; use clone_repo first"
            )
            raise Refusal(f"{shown} is not in a cloned repository; repositories: {known}")
        check_real_location(self.root / checkout.name, parts[1:], shown)
        if not self.root.joinpath(*parts).is_dir():
            raise Refusal(f"there is no directory {shown}")
        return WorkingDirectory(checkout, parts)

    # --- git

    def path_checks(self, where: WorkingDirectory) -> PathChecks:
        """How arguments of a command that runs in ``where`` are judged."""
        return PathChecks(
            plain=lambda argument: self._check_argument(where, argument, follow=False),
            following=lambda argument: self._check_argument(where, argument, follow=True),
        )

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
        self._verify(where.checkout)
        return self._run(
            ["git", *argv],
            cwd=self._inside("/".join((WORKSPACE, *where.parts))),
            environ={
                **self._environ,
                **as_environ((*ENFORCED, *settings)),
                **self._repository_environ(where.checkout),
                **_dates(now),
                **(environ or {}),
            },
        )

    def used_bytes(self) -> int:
        """Disk space that the workspace takes."""
        cwd = self._inside(WORKSPACE)
        done = self._run(["du", "-s", "-k", cwd], cwd=cwd, environ=self._environ)
        return int(done.stdout.split("\t", 1)[0] or 0) * 1024

    def mirror_path(self, mirror: Mirror) -> str:
        """Where a mirror lies, seen from inside."""
        return self._inside(f"{_MIRRORS}/{mirror.path.name}")

    def scratch_path(self, name: str) -> tuple[str, Path]:
        """A file outside all repositories: its path inside, and the real one."""
        return self._inside(f"{_SCRATCH}/{name}"), self._scratch / name

    # --- files

    def read_file(self, path: str) -> str:
        """The text of a file.

        Raises:
            Refusal: It does not exist, is too large, is not text, or may not be read.
        """
        inside, shown = self._locate_file(path)
        limit = self._shared.settings.limits.output_bytes
        try:
            data = self._sandbox.read_file(inside, limit + 1)
        except OSError as error:
            raise Refusal(f"cannot read {shown}: {os.strerror(error.errno or 0)}") from None
        if len(data) > limit:
            raise Refusal(f"{shown} is larger than {limit} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Refusal(f"{shown} is not UTF-8 text") from None

    def write_file(self, path: str, content: str) -> int:
        """Create or replace a file; returns its size in bytes.

        Raises:
            Refusal: It may not be written.
        """
        inside, shown = self._locate_file(path)
        try:
            data = content.encode()
        except UnicodeEncodeError:
            raise Refusal("the content holds half of a surrogate pair, which is not Unicode text") from None
        if len(data) > self._shared.settings.limits.file_bytes:
            raise Refusal(f"the content is larger than {self._shared.settings.limits.file_bytes} bytes")
        try:
            self._sandbox.write_file(inside, data)
        except OSError as error:
            raise Refusal(f"cannot write {shown}: {os.strerror(error.errno or 0)}") from None
        return len(data)

    def read_git_file(self, checkout: Checkout, name: str) -> str:
        """A file of a repository's own ``.git``, for the environment itself; "" when there is none."""
        path = self._inside(f"{WORKSPACE}/{checkout.name}/.git/{name}")
        try:
            return self._sandbox.read_file(path, 1 << 20).decode(errors="surrogateescape")
        except FileNotFoundError:
            return ""

    def write_git_file(self, checkout: Checkout, name: str, text: str) -> None:
        """Write a file of a repository's own ``.git``, for the environment itself."""
        path = self._inside(f"{WORKSPACE}/{checkout.name}/.git/{name}")
        self._sandbox.write_file(path, text.encode(errors="surrogateescape"))

    # --- inside

    def _inside(self, target: str) -> str:
        return str(self._sandbox.path_inside(target))

    def _locate_file(self, path: str) -> tuple[str, str]:
        parts = resolve_parts(path)
        if not parts:
            raise Refusal("path must name a file below /workspace")
        shown = "/".join((WORKSPACE, *parts))
        check_real_location(self.root, parts, shown)
        return self._inside(shown), shown

    def _check_argument(self, where: WorkingDirectory, argument: str, *, follow: bool) -> str:
        """A revision or path as git may have it: paths stay inside the repository and out of ``.git``."""
        refuse_git_components(argument)
        components = argument.split("/")
        if argument.startswith("/") or ".." in components:
            parts = resolve_parts(argument, where.parts)
            if parts[:1] != where.parts[:1]:
                raise Refusal(f"{argument!r} is outside the repository {WORKSPACE}/{where.checkout.name}")
            start = os.path.join("/", *where.parts)  # noqa: PTH118 - text only, nothing is looked up
            relative = os.path.relpath(os.path.join("/", *parts), start)  # noqa: PTH118
            argument = relative + ("/" if argument.endswith("/") and relative != "." else "")
        else:
            parts = (*where.parts, *(part for part in components if part not in ("", ".")))
        located = parts[1:] if follow else parts[1:-1]
        check_real_location(self.root / where.checkout.name, located, argument)
        return argument

    def _repository_environ(self, checkout: Checkout) -> dict[str, str]:
        worktree = self._inside(f"{WORKSPACE}/{checkout.name}")
        return {
            "GIT_DIR": f"{worktree}/.git",
            "GIT_WORK_TREE": worktree,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(f"{self.mirror_path(checkout.mirror)}/objects"),
        }

    def _run(self, argv: list[str], *, cwd: str, environ: Mapping[str, str]) -> GitResult:
        done = self._sandbox.run(argv, cwd=cwd, environ=environ)
        stdout, stderr = self._shown(done.stdout), self._shown(done.stderr)
        limits = self._shared.settings.limits
        if done.timed_out:
            stderr += f"\nstopped: the command took longer than {limits.command_seconds:g} s"
        if done.truncated:
            stdout += _TRUNCATED.format(limits.output_bytes)
        return GitResult(done.exit_code or int(done.timed_out), stdout, stderr)

    def _shown(self, output: bytes) -> str:
        text = output.decode(errors="replace")
        for real, shown in self._rewrites:
            text = text.replace(real, shown)
        return text

    def _config_stamp(self, checkout: Checkout) -> tuple[int, ...]:
        """Changes when the repository's configuration file does.

        Raises:
            Refusal: What is there is not a repository as this environment makes them.
        """
        git_dir = self.root / checkout.name / ".git"
        real = not git_dir.is_symlink() and git_dir.is_dir()
        if not real or (git_dir / "config").is_symlink() or os.path.lexists(git_dir / "commondir"):
            raise Refusal(f"{WORKSPACE}/{checkout.name} is no longer a repository; reset the environment")
        try:
            stat = (git_dir / "config").stat()
        except FileNotFoundError:
            return ()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

    def _verify(self, checkout: Checkout) -> None:
        """Refuse to run where the configuration holds settings that no allowed command writes.

        The policy leaves no way to write there; this is for the way that nobody thought of.
        """
        stamp = self._config_stamp(checkout)
        if stamp == self._verified.get(checkout.name):
            return
        file = self._inside(f"{WORKSPACE}/{checkout.name}/.git/config")
        done = self._run(
            ["git", "config", "--file", file, "--no-includes", "--list", "--name-only", "-z"],
            cwd=self._inside(_SCRATCH),
            environ={**self._environ, "GIT_CEILING_DIRECTORIES": "/"},
        )
        unexpected = [key for key in done.stdout.split("\0") if key and not is_expected(key)]
        if done.exit_code or unexpected:
            raise Refusal(
                f"the configuration of {WORKSPACE}/{checkout.name} was tampered with; reset the environment"
            )
        self._verified[checkout.name] = stamp


def _dates(now: int) -> dict[str, str]:
    date = f"@{now} +0000"
    # GIT_TEST_DATE_NOW is what git's own date code takes for the present, in release builds too.
    return {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_TEST_DATE_NOW": str(now)}
