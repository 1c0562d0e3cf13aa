"""The task routes: an environment backed by a data set lists its splits and tasks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from openenv_gym.errors import EnvironmentFailedError, NotSupportedError
from openenv_gym.server.enquiries import Enquiries

_SPLIT_TYPES = {"train", "validation", "test"}


class SplitRequest(BaseModel):
    """Body of ``tasks`` and ``num_tasks``."""

    model_config = ConfigDict(extra="forbid")

    split: str = Field(description="Name of the split")


class TaskRequest(SplitRequest):
    """Body of ``task``."""

    index: int = Field(description="Index of the task within the split")


class TaskRangeRequest(SplitRequest):
    """Body of ``task_range``."""

    start: int | None = Field(default=None, description="First index")
    stop: int | None = Field(default=None, description="Index after the last")


class TaskService:
    """Answers the task routes for one environment.

    Args:
        name: The environment's public name; paths carry it in any case of letters.
        enquiries: Asks the environment.
    """

    def __init__(self, name: str, enquiries: Enquiries) -> None:
        self._name = name
        self._enquiries = enquiries

    async def ask(self, name: str, method: str, **arguments: Any) -> Any:
        """Call a task method.

        Raises:
            HTTPException: 404 for another environment's name, 501 where the environment has no such method,
                400 for an index it does not have, 500 when it fails.
        """
        if name.lower() != self._name.lower():
            raise HTTPException(404, f"unknown environment {name!r}")
        try:
            return await self._enquiries.ask(method, **arguments)
        except NotSupportedError:
            raise HTTPException(501, f"{method} is not supported for this environment") from None
        except EnvironmentFailedError as error:
            match error.details.get("type"):
                case "NotImplementedError":
                    raise HTTPException(501, f"{method} is not supported for this environment") from None
                case "IndexError":
                    raise HTTPException(400, "Invalid task index") from None
            raise HTTPException(500, str(error)) from None


def tasks_router(name: str, enquiries: Enquiries) -> APIRouter:
    """Build the task routes."""
    router = APIRouter(tags=["Task API"])
    service = TaskService(name, enquiries)

    @router.get("/list_environments")
    async def list_environments() -> list[str]:
        """Name the environment of this server."""
        return [name]

    @router.get("/{env_name}/splits")
    async def list_splits(env_name: str) -> list[dict[str, Any]]:
        """List the splits."""
        return [_describe_split(split) for split in await service.ask(env_name, "list_splits")]

    @router.post("/{env_name}/tasks")
    async def list_tasks(env_name: str, request: SplitRequest) -> dict[str, Any]:
        """List the tasks of a split."""
        return {"tasks": await service.ask(env_name, "list_tasks", split=request.split), "env_name": name}

    @router.post("/{env_name}/num_tasks")
    async def num_tasks(env_name: str, request: SplitRequest) -> dict[str, Any]:
        """Count the tasks of a split."""
        return {"num_tasks": await service.ask(env_name, "num_tasks", split=request.split)}

    @router.post("/{env_name}/task")
    async def get_task(env_name: str, request: TaskRequest) -> dict[str, Any]:
        """Describe one task."""
        return {"task": await service.ask(env_name, "get_task", split=request.split, index=request.index)}

    @router.post("/{env_name}/task_range")
    async def get_task_range(env_name: str, request: TaskRangeRequest) -> dict[str, Any]:
        """Describe the tasks from ``start`` up to ``stop``."""
        bounds = {"start": request.start, "stop": request.stop}
        return {"tasks": await service.ask(env_name, "get_task_range", split=request.split, **bounds)}

    return router


def _describe_split(split: Any) -> dict[str, Any]:
    """Bring what an environment calls a split into the form ``{"name": ..., "type": ...}``."""
    if isinstance(split, dict):
        return split
    name = str(split)
    return {"name": name, "type": name if name in _SPLIT_TYPES else "validation"}
