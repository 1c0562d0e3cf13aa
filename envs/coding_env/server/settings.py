"""What the person who starts the server chooses, read once from the environment's variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from openenv_gym.errors import UsageError
from openenv_gym.sandbox import MechanismChoice
from openenv_gym.server.variables import Variables

ExecutorName = Literal["python", "smolagents"]


@dataclass(frozen=True)
class CodingLimits:
    """Bounds on one session; sizes in bytes.

    Attributes:
        step_seconds: Wall-clock time of one step; then the code is interrupted.
        grace_seconds: Time that interrupted code has to end, until its interpreter is killed.
        cpu_seconds: Processor time of one process.
        memory_bytes: Address space of one process; under bubblewrap also the memory of all together.
        disk_bytes: All files together, and the largest single one.
        output_bytes: How much of each of stdout and stderr a step returns.
        printed_bytes: How much a step may print before it is stopped.
        processes: Processes and threads at once.
    """

    step_seconds: float = 30.0
    grace_seconds: float = 1.0
    cpu_seconds: float = 3600.0
    memory_bytes: int = 1 << 30
    disk_bytes: int = 128 << 20
    output_bytes: int = 1 << 16
    printed_bytes: int = 64 << 20
    processes: int = 64


@dataclass(frozen=True)
class CodingSettings:
    """Everything a server of the Coding environment can be told.

    Attributes:
        executor: What runs code where a reset does not say.
        packages: Folders that the code can import from, read-only, besides the standard library.
        python: The interpreter that runs the code; None for the server's own, outside its virtual
            environment, or the system's where sandboxed users cannot reach that.
        spares: Interpreters kept ready for the next resets, at most: as many as resets have come at once.
        score: Whether steps are rewarded as OpenEnv's coding environment does.
        sandbox: Which mechanism confines the code; "auto" takes the strongest that works here.
        limits: Bounds on each session.
    """

    executor: ExecutorName = "python"
    packages: tuple[Path, ...] = ()
    python: str | None = None
    spares: int = 16
    score: bool = True
    sandbox: MechanismChoice = "auto"
    limits: CodingLimits = field(default_factory=CodingLimits)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> CodingSettings:
        """Read the variables that README.md lists.

        Raises:
            UsageError: A variable has a value that cannot be read; the message names it.
        """
        variables = Variables(environ)
        limits = CodingLimits()
        packages = [Path(path) for path in variables.text("CODING_PACKAGES").split(os.pathsep) if path]
        for path in packages:
            if not path.is_dir():
                raise UsageError(f"CODING_PACKAGES must list folders; {path} is none")
        return cls(
            executor=variables.choice("CODING_EXECUTOR", cls.executor, get_args(ExecutorName)),
            packages=tuple(packages),
            python=variables.text("CODING_PYTHON") or None,
            spares=variables.count("CODING_SPARES", cls.spares, least=0),
            score=variables.flag("CODING_SCORE", cls.score),
            sandbox=variables.choice("CODING_SANDBOX", cls.sandbox, get_args(MechanismChoice)),
            limits=CodingLimits(
                step_seconds=variables.number("CODING_STEP_SECONDS", limits.step_seconds),
                cpu_seconds=variables.number("CODING_CPU_SECONDS", limits.cpu_seconds),
                memory_bytes=variables.count("CODING_MEMORY_BYTES", limits.memory_bytes),
                disk_bytes=variables.count("CODING_DISK_BYTES", limits.disk_bytes),
                output_bytes=variables.count("CODING_OUTPUT_BYTES", limits.output_bytes),
                processes=variables.count("CODING_PROCESSES", limits.processes),
            ),
        )
