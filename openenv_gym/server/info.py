"""What a server tells about itself and its environment: ``/health``, ``/schema``, ``/metadata``."""

from __future__ import annotations

import inspect
from typing import Any

from fastapi import APIRouter
from pydantic.errors import PydanticInvalidForJsonSchema
from starlette.responses import Response

from openenv_gym.errors import EnvironmentFailedError, NotSupportedError
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.enquiries import Enquiries
from openenv_gym.server.executors import Runaways
from openenv_gym.server.replies import json_response, problem
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.types import HealthResponse, HealthStatus, Problem, SchemaResponse
from openenv_gym.wire.messages import ErrorCode, ErrorReply


def info_router(
    definition: EnvironmentDefinition, table: SessionTable, enquiries: Enquiries, runaways: Runaways
) -> APIRouter:
    """Build the three routes.

    Args:
        definition: The environment.
        table: Whether the server is draining.
        enquiries: Where metadata comes from.
        runaways: How many calls hang beyond their deadline.
    """
    router = APIRouter()

    @router.get(
        "/health", tags=["Health"], responses={200: {"model": HealthResponse}, 503: {"model": Problem}}
    )
    async def health() -> Response:
        """Say whether new sessions are welcome; 503 while draining or when too many calls hang."""
        if table.draining:
            return json_response({"status": HealthStatus.UNHEALTHY, "detail": "draining"}, 503)
        if not runaways.healthy:
            detail = f"{runaways.count} calls hang beyond their deadline and cannot be stopped: restart me"
            return json_response({"status": HealthStatus.UNHEALTHY, "detail": detail}, 503)
        return json_response({"status": HealthStatus.HEALTHY})

    @router.get("/schema", tags=["Schema"], responses={200: {"model": SchemaResponse}})
    async def schema() -> Response:
        """Give the JSON Schemas of actions, observations and state; of a tool environment the tools too."""
        try:
            schemas = _schemas(definition)
            if definition.acts_by_tools:
                schemas["tools"] = await enquiries.tools()
            return json_response(schemas)
        except EnvironmentFailedError as error:
            return problem(ErrorReply(error.code, str(error), error.details))
        except PydanticInvalidForJsonSchema as error:  # such a model can be served, only not described
            text = f"a model of {definition.name} has no JSON Schema: {error}"
            return problem(ErrorReply(ErrorCode.EXECUTION_ERROR, text))

    @router.get("/metadata", tags=["Environment Info"], responses={200: {"model": EnvironmentMetadata}})
    async def metadata() -> Response:
        """Give the environment's name, description, version and so on."""
        try:
            return json_response(await enquiries.metadata())
        except NotSupportedError:
            return json_response(_default_metadata(definition))
        except EnvironmentFailedError as error:
            return problem(ErrorReply(error.code, str(error), error.details))

    return router


def _schemas(definition: EnvironmentDefinition) -> dict[str, Any]:
    # As OpenEnv's server does, `reset_observation` is always given, also where it is no model of its own.
    metadata = definition.gymnasium_metadata
    keywords = {"gymnasium_metadata": dict(metadata)} if metadata else {}
    return SchemaResponse(
        action=definition.action_cls.model_json_schema(),
        observation=definition.observation_cls.model_json_schema() | keywords,
        state=definition.state_cls.model_json_schema(),
        reset_observation=definition.reset_observation_cls.model_json_schema() | keywords,
    ).model_dump()


def _default_metadata(definition: EnvironmentDefinition) -> dict[str, Any]:
    description = inspect.getdoc(definition.environment_cls) or f"{definition.name} environment"
    return EnvironmentMetadata(name=definition.name, description=description).model_dump()
