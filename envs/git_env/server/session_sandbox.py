"""SessionSandbox: the sandbox of one session, with outputs as the agent may see them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from git_env.server.hardening import base_environ
from git_env.server.policy.workspace_paths import WORKSPACE
from git_env.server.settings import GitSettings
from openenv_gym.sandbox import Limits, Mount, SandboxProcess, SandboxSpec, open_sandbox

MIRRORS = "/mirrors"
SCRATCH = "/tmp"
_SETTINGS = "/settings"
_LEAST_SECONDS = 0.1


@dataclass(frozen=True)
class GitResult:
    """What one command did, in the agent's terms.

    Attributes:
        exit_code: 0 when it worked.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error, and why it was stopped if it was.
        disk_full: The workspace holds more than it may.
    """

    exit_code: int
    stdout: str
    stderr: str
    disk_full: bool = False


class SessionSandbox:
    """Opened for one session, closed with it.

    Attributes:
        environ: What every git process inside gets.
        deadline: When programs are stopped at the latest (``time.monotonic()``); None for their limit.

    Args:
        settings: Mechanism and limits.
        workspace: The directory behind ``/workspace``.
        mirrors: The directory with all mirrors; read-only inside.
        config_file: Git's configuration; its directory is read-only inside.

    Raises:
        SandboxError: Nothing can confine commands here.
    """

    def __init__(self, settings: GitSettings, workspace: Path, mirrors: Path, config_file: Path) -> None:
        limits = settings.limits
        self._limits = limits
        self._emptying: Thread | None = None
        self.deadline: float | None = None
        self._sandbox = open_sandbox(
            SandboxSpec(
                mounts=(
                    Mount(workspace, WORKSPACE, writable=True),
                    Mount(mirrors, MIRRORS),
                    Mount(config_file.parent, _SETTINGS),
                ),
                workdir=WORKSPACE,
                limits=Limits(
                    wall_seconds=limits.command_seconds,
                    cpu_seconds=limits.command_seconds,
                    memory_bytes=limits.memory_bytes,
                    processes=limits.processes,
                    file_bytes=limits.file_bytes,
                    output_bytes=limits.output_bytes,
                    disk_bytes=limits.workspace_bytes,
                ),
            ),
            mechanism=settings.sandbox,
        )
        self._sandbox.adopt(workspace)
        self.environ = {
            **base_environ(self.inside(f"{_SETTINGS}/{config_file.name}")),
            "TMPDIR": self.inside(SCRATCH),
        }
        # Under Landlock there is no mount namespace: programs see, and print, real paths.
        places = (WORKSPACE, MIRRORS, _SETTINGS, SCRATCH)
        self._rewrites = [(self.inside(place), place) for place in places if self.inside(place) != place]

    @property
    def owner(self) -> tuple[int, int] | None:
        """User and group that the workspace's files belong to; None where that is this process's own."""
        sandbox = self._sandbox
        return (sandbox.uid, sandbox.gid) if sandbox.uid != os.geteuid() else None

    @property
    def usable(self) -> bool:
        """Whether programs can be run: it is not closed, and has not failed."""
        return self._sandbox.usable

    @property
    def mechanism(self) -> str:
        """What confines: "bubblewrap", "landlock", or "none" where the operator chose that."""
        return self._sandbox.mechanism

    def close(self) -> None:
        """End everything that runs inside."""
        self._wait_for_scratch()
        self._sandbox.close()

    def inside(self, path: str) -> str:
        """A path as programs inside name it."""
        return self._sandbox.path_inside(path)

    def run(self, argv: Iterable[str], *, cwd: str, environ: Mapping[str, str]) -> GitResult:
        """Run one program to its end.

        Args:
            argv: Program and arguments.
            cwd: Directory, as the agent names it.
            environ: The whole environment.
        """
        self._wait_for_scratch()
        timeout = None if self.deadline is None else max(_LEAST_SECONDS, self.deadline - time.monotonic())
        words = list(argv)
        try:
            done = self._sandbox.run(words, cwd=cwd, environ=environ, timeout=timeout)
        except OSError as error:
            return GitResult(126, "", f"{words[0]} cannot be started: {error.strerror}\n")
        stdout, stderr = self._shown(done.stdout), self._shown(done.stderr)
        seconds = (
            self._limits.command_seconds if timeout is None else min(timeout, self._limits.command_seconds)
        )
        if done.truncated:
            stdout += f"\n[cut: a command may print {self._limits.output_bytes} bytes]\n"
        stopped = {
            "wall_seconds": f"stopped: it took longer than {round(seconds, 1):g} s\n",
            "memory_bytes": f"stopped: it needed more than {self._limits.memory_bytes} bytes of memory\n",
            "output_bytes": "stopped: it printed far too much\n",
            "disk_bytes": f"the workspace holds more than {self._limits.workspace_bytes} bytes\n",
        }
        stderr += stopped.get(done.stopped_by or "", "")
        code = done.exit_code or int(done.stopped_by is not None)
        return GitResult(code, stdout, stderr, done.stopped_by == "disk_bytes")

    def popen(self, argv: Iterable[str], *, cwd: str, environ: Mapping[str, str]) -> SandboxProcess:
        """Start a program, to be spoken to over pipes; arguments as for `run`."""
        self._wait_for_scratch()
        return self._sandbox.popen(list(argv), cwd=cwd, environ=environ)

    def empty_scratch(self) -> None:
        """Remove what lies in the sandbox's own ``/tmp``; returns at once, and the next call waits for it."""
        self._wait_for_scratch()
        argv = ["find", self.inside(SCRATCH), "-mindepth", "1", "-delete"]
        self._emptying = Thread(
            target=self._sandbox.run, args=(argv,), kwargs={"cwd": SCRATCH}, name="git-scratch", daemon=True
        )
        self._emptying.start()

    def _wait_for_scratch(self) -> None:
        if self._emptying is not None:
            self._emptying.join()
            self._emptying = None

    def read_file(self, path: str, max_bytes: int, *, forbidden: Iterable[str] = ()) -> bytes:
        """Read a file with the rights of programs inside; see `openenv_gym.sandbox.Sandbox.read_file`."""
        self._wait_for_scratch()
        return self._sandbox.read_file(path, max_bytes, forbidden=forbidden)

    def write_file(self, path: str, data: bytes, *, forbidden: Iterable[str] = ()) -> None:
        """Write one; see `openenv_gym.sandbox.Sandbox.write_file`."""
        self._wait_for_scratch()
        self._sandbox.write_file(path, data, forbidden=forbidden)

    def _shown(self, output: bytes) -> str:
        text = output.decode(errors="replace")
        for real, shown in self._rewrites:
            text = text.replace(real, shown)
        return text
