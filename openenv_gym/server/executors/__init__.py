"""Where an environment's code runs: inline, on a second event loop, on a thread, in a process."""

from __future__ import annotations

from openenv_gym.server.definition import EnvironmentDefinition, Execution
from openenv_gym.server.executors.asynchronous import AsyncExecutor
from openenv_gym.server.executors.executor import Executor
from openenv_gym.server.executors.inline import InlineExecutor
from openenv_gym.server.executors.process import ProcessExecutor
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.executors.spare_workers import SpareWorkers
from openenv_gym.server.executors.thread import ThreadExecutor

__all__ = ["Executor", "Runaways", "SpareWorkers", "make_executor"]


def make_executor(
    definition: EnvironmentDefinition,
    runaways: Runaways | None = None,
    workers: SpareWorkers | None = None,
) -> Executor:
    """Make the executor that a definition's ``execution`` asks for, not yet open.

    Args:
        definition: The environment.
        runaways: Where calls that outlive their session are counted; one object a server.
        workers: Where worker processes come from; one object a server.
    """
    runaways = Runaways() if runaways is None else runaways
    match definition.execution:
        case Execution.INLINE:
            if definition.is_async:
                return AsyncExecutor(definition, runaways)
            return InlineExecutor(definition, runaways)
        case Execution.ASYNC:
            return AsyncExecutor(definition, runaways)
        case Execution.THREAD:
            return ThreadExecutor(definition, runaways)
        case Execution.PROCESS:
            return ProcessExecutor(definition, runaways, workers)
