"""Says how a Swarm service is, by its tasks: the tries, one after another, to keep its container running."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from openenv_gym.providers.docker.engine import Engine, NotOnEngineError
from openenv_gym.providers.docker.report import state_of
from openenv_gym.providers.server_state import ServerState

Task = Mapping[str, Any]

_EXIT = re.compile(r"task: non-zero exit \(\d+\)")  # of which its container says more
_OVER = frozenset(("complete", "failed", "rejected", "orphaned", "shutdown", "remove"))
_UP = frozenset(("starting", "running"))  # "starting" until the image's health check passes


def tasks_of(engine: Engine, service: str) -> list[Task]:
    """The service's tasks that the swarm remembers, the newest first.

    Raises:
        NotOnEngineError: There is no such service.
    """
    with engine.asked(f"the service {service} cannot be looked at"):
        identity = engine.api.inspect_service(service)["ID"]
        tasks: list[Task] = engine.api.tasks(filters={"service": identity})
    return sorted(tasks, key=lambda task: str(task["CreatedAt"]), reverse=True)


def is_over(task: Task) -> bool:
    """Whether the task has ended or will not begin."""
    return task["Status"]["State"] in _OVER


def how_it_ended(engine: Engine, task: Task) -> ServerState:
    """Why a task is over."""
    status = task["Status"]
    problem = _problem(status)
    found = _look_at(engine, task)
    if found is not None and found.status == "ended" and (not problem or _EXIT.match(problem)):
        return found
    if status["State"] == "rejected":
        return ServerState("ended", f"was refused by its node: {problem}")
    return ServerState("ended", f"failed: {problem}" if problem else "ended")


def state_by_tasks(engine: Engine, tasks: Sequence[Task]) -> ServerState:
    """How a service is that replaces what ends."""
    if not tasks:
        return ServerState("unknown", "is being placed by the swarm")
    newest = tasks[0]
    if newest["Status"]["State"] not in _UP:
        problem = _problem(newest["Status"])
        return ServerState("unknown", "is being placed by the swarm" + (problem and f": {problem}"))
    found = _look_at(engine, newest)
    if found is None:
        return ServerState("running")  # on another node
    return found if found.status != "ended" else ServerState("unknown", f"{found.detail}, and is replaced")


def _look_at(engine: Engine, task: Task) -> ServerState | None:
    """How the task's container is; ``None`` if this engine has none of it."""
    identity = (task["Status"].get("ContainerStatus") or {}).get("ContainerID")
    if not identity:
        return None
    try:
        with engine.asked("a task's container cannot be looked at"):
            return state_of(engine.api.inspect_container(identity))
    except NotOnEngineError:
        return None


def _problem(status: Mapping[str, Any]) -> str:
    return str(status.get("Err") or "")
