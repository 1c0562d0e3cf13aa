"""What a sandbox shows, what it allows, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from openenv_gym.errors import UsageError

PRIVATE_FOLDER = "/tmp"
"""The target path of every sandbox's own temporary folder, which is also its ``HOME``."""


@dataclass(frozen=True)
class Mount:
    """One folder of the host, shown to programs at another path.

    The mount is of the folder itself, not of its name: content may be swapped below it at any time (rename a
    fresh checkout into it), but a folder renamed over ``source`` is not seen.

    Attributes:
        source: The host's folder.
        target: Absolute path under which the sandbox's owner, and programs where the mechanism has mounts,
            know it.
        writable: Whether programs may change it. A root owner's folder is given to the sandbox's own user
            (itself, not what is below: see `Sandbox.adopt`).
    """

    source: Path
    target: str
    writable: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", Path(self.source).resolve())
        target = PurePosixPath(self.target)
        if not target.is_absolute() or ".." in target.parts or len(target.parts) < 2:
            raise UsageError(f"a mount's target is an absolute path below /, not {self.target!r}")
        object.__setattr__(self, "target", str(target))


@dataclass(frozen=True)
class Limits:
    """What one program, with all that it starts, may take.

    Attributes:
        wall_seconds: Time until it is killed.
        cpu_seconds: Processor time of each of its processes.
        memory_bytes: Address space of each of its processes; where the sandbox has a pid namespace, also
            what they hold together.
        processes: Processes and threads at one time.
        file_bytes: Size of each file it writes.
        open_files: File descriptors of each process.
        output_bytes: How much of each of stdout and stderr is kept; a program that prints more is let run,
            up to 64 times as much.
        disk_bytes: Size of all writable folders together. Measured, not enforced by the file system: a
            program can overshoot it by what it writes within about a quarter of a second.
    """

    wall_seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_bytes: int = 2 << 30
    processes: int = 64
    file_bytes: int = 256 << 20
    open_files: int = 256
    output_bytes: int = 1 << 20
    disk_bytes: int = 1 << 30


@dataclass(frozen=True)
class SandboxSpec:
    """One sandbox.

    Attributes:
        mounts: What is visible besides the system's programs and libraries, which are read-only, and a
            private ``/tmp``.
        workdir: Where programs start, as a path below some mount's target or ``/tmp``.
        environ: Environment variables of every program, on top of ``PATH``, ``HOME``, ``TMPDIR`` and
            ``LANG``. Nothing is inherited.
        limits: Limits of every program that is not started with its own.
        network: Whether programs reach the network. Under Landlock before ABI 4 UDP and TCP cannot be told
            from each other, so it is all or nothing.
    """

    mounts: tuple[Mount, ...] = ()
    workdir: str = PRIVATE_FOLDER
    environ: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    network: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "mounts", tuple(self.mounts))
        targets = [mount.target for mount in self.mounts]
        if len(set(targets)) < len(targets) or PRIVATE_FOLDER in targets:
            raise UsageError(
                f"every mount needs a target of its own, and {PRIVATE_FOLDER} is taken: {targets}"
            )


@dataclass(frozen=True)
class Completed:
    """A program that has ended, and nothing of it is left running.

    Attributes:
        exit_code: Its exit code, or minus the signal that killed it.
        stdout: At most ``Limits.output_bytes`` bytes.
        stderr: At most ``Limits.output_bytes`` bytes.
        truncated: There was more output than is kept.
        stopped_by: The field of `Limits` because of which the sandbox killed it, or which it left exceeded
            (``disk_bytes``); None otherwise. Limits that the kernel keeps (``cpu_seconds``, ``file_bytes``,
            ...) show as the program's own failure.
        seconds: Wall time.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    stopped_by: str | None
    seconds: float

    @property
    def timed_out(self) -> bool:
        """It was killed because its time was over."""
        return self.stopped_by == "wall_seconds"
