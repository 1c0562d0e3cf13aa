"""What an operator may set on the REPL environment, by environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from openenv_gym.sandbox import MechanismChoice
from openenv_gym.server.variables import Variables


@dataclass(frozen=True)
class REPLSettings:
    """Limits of every session.

    Attributes:
        context: ``REPL_CONTEXT``: the text where a reset gives none.
        task_prompt: ``REPL_TASK_PROMPT``: the task where a reset gives none.
        max_iterations: ``REPL_MAX_ITERATIONS``: cells after which an episode ends.
        cell_timeout: ``REPL_CELL_TIMEOUT``: seconds a cell may run; then it is interrupted.
        memory_bytes: ``REPL_MEMORY_BYTES``: memory of a session's processes.
        max_output_length: ``REPL_MAX_OUTPUT_LENGTH``: characters kept of each of stdout and stderr.
        max_rich_bytes: ``REPL_MAX_RICH_BYTES``: size of a cell's other outputs, together.
        spare_kernels: ``REPL_SPARE_KERNELS``: kernels that are started ahead for the next resets.
        sandbox: ``REPL_SANDBOX``: what confines the kernels.
    """

    context: str = ""
    task_prompt: str = ""
    max_iterations: int = 30
    cell_timeout: float = 30.0
    memory_bytes: int = 2 << 30
    max_output_length: int = 8192
    max_rich_bytes: int = 4 << 20
    spare_kernels: int = 1
    sandbox: MechanismChoice = "auto"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> REPLSettings:
        """Read the settings.

        Raises:
            UsageError: A variable holds something else than it should; the message names it.
        """
        variables = Variables(environ)
        return cls(
            context=variables.text("REPL_CONTEXT"),
            task_prompt=variables.text("REPL_TASK_PROMPT"),
            max_iterations=variables.count("REPL_MAX_ITERATIONS", cls.max_iterations, least=1),
            cell_timeout=variables.number("REPL_CELL_TIMEOUT", cls.cell_timeout, least=0.1),
            memory_bytes=variables.count("REPL_MEMORY_BYTES", cls.memory_bytes, least=256 << 20),
            max_output_length=variables.count("REPL_MAX_OUTPUT_LENGTH", cls.max_output_length, least=1),
            max_rich_bytes=variables.count("REPL_MAX_RICH_BYTES", cls.max_rich_bytes, least=0),
            spare_kernels=variables.count("REPL_SPARE_KERNELS", cls.spare_kernels, least=0),
            sandbox=variables.choice("REPL_SANDBOX", cls.sandbox, get_args(MechanismChoice)),
        )
