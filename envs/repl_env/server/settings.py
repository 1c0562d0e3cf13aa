"""What an operator may set on the REPL environment, by environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from openenv_gym.errors import UsageError

Mechanism = Literal["auto", "bubblewrap", "landlock", "none"]


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
    sandbox: Mechanism = "auto"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> REPLSettings:
        """Read the settings.

        Raises:
            UsageError: A variable holds something else than it should; the message names it.
        """
        source = os.environ if environ is None else environ
        defaults = cls()

        def count(variable: str, default: int, *, least: int) -> int:
            return int(_number(source, variable, default, least=least))

        return cls(
            context=source.get("REPL_CONTEXT", ""),
            task_prompt=source.get("REPL_TASK_PROMPT", ""),
            max_iterations=count("REPL_MAX_ITERATIONS", defaults.max_iterations, least=1),
            cell_timeout=_number(source, "REPL_CELL_TIMEOUT", defaults.cell_timeout, least=0.1),
            memory_bytes=count("REPL_MEMORY_BYTES", defaults.memory_bytes, least=256 << 20),
            max_output_length=count("REPL_MAX_OUTPUT_LENGTH", defaults.max_output_length, least=1),
            max_rich_bytes=count("REPL_MAX_RICH_BYTES", defaults.max_rich_bytes, least=0),
            spare_kernels=count("REPL_SPARE_KERNELS", defaults.spare_kernels, least=0),
            sandbox=_mechanism(source.get("REPL_SANDBOX") or defaults.sandbox),
        )


def _number(source: Mapping[str, str], variable: str, default: float, *, least: float) -> float:
    text = source.get(variable, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = float("nan")
    if not value >= least:
        raise UsageError(f"{variable}={text!r}: expected a number, at least {least:g}")
    return value


def _mechanism(text: str) -> Mechanism:
    if text not in get_args(Mechanism):
        raise UsageError(f"REPL_SANDBOX={text!r}: expected one of {', '.join(get_args(Mechanism))}")
    return cast(Mechanism, text)
