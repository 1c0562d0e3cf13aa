"""Composes the ASGI app of an environment from the parts of this package; holds no logic of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, TypedDict, Unpack

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from openenv_gym.errors import UsageError
from openenv_gym.models import State
from openenv_gym.server.definition import EnvironmentDefinition, Execution, define
from openenv_gym.server.enquiries import Enquiries
from openenv_gym.server.executors import Runaways, SpareWorkers, make_executor
from openenv_gym.server.http import SESSION_HEADER, HttpSessions
from openenv_gym.server.info import info_router
from openenv_gym.server.logs import hide_session_ids
from openenv_gym.server.mcp import McpService
from openenv_gym.server.mcp_routes import McpWebSocketEndpoint, mcp_router
from openenv_gym.server.security import SecurityMiddleware
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.server.shared_state import SharedState, served
from openenv_gym.server.tasks import tasks_router
from openenv_gym.server.types import ConcurrencyConfig, ServerMode
from openenv_gym.server.websocket import WebSocketEndpoint

logger = logging.getLogger(__name__)


class WebOptions(TypedDict, total=False):
    """What OpenEnv's ``create_app`` takes for its Gradio page."""

    gradio_builder: Callable[..., Any] | None
    custom_tab_name: str
    custom_tab_primary: bool
    show_default_tab: bool
    title_override: str | None


def create_app(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    concurrency_config: ConcurrencyConfig | None = None,
    state_cls: type[BaseModel] = State,
    *,
    mode: ServerMode | str | None = None,
    reset_observation_cls: type[BaseModel] | None = None,
    settings: ServerSettings | None = None,
    shared: SharedState | None = None,
    **web_options: Unpack[WebOptions],
) -> FastAPI:
    """Make the ASGI app that serves an environment.

    Args:
        env: The environment's class, or a callable without arguments that makes one. OpenEnv's own
            environments fit too.
        action_cls: Model of its actions.
        observation_cls: Model of its observations.
        env_name: Its public name, by default the class's.
        max_concurrent_envs: Sessions at once; by default what the class declares. The environment variable
            ``MAX_CONCURRENT_ENVS`` overrides both.
        concurrency_config: The same, with an idle timeout beside it; instead of ``max_concurrent_envs``.
        state_cls: Model of its state.
        mode: ``simulation`` (default, or ``OPENENV_MODE``), or ``production``, which leaves out HTTP's
            ``/reset``, ``/step`` and ``/state``.
        reset_observation_cls: Model of what ``reset`` returns, where it is another than a step's.
        settings: Limits and timeouts, by default read from environment variables.
        shared: What the environments share, if they do: its ``prepare()`` is called on a thread when the
            server starts, its ``close()`` after the last session; see `SharedState`.
        **web_options: Accepted for OpenEnv's sake; they describe a Gradio page, which this server has not.

    Raises:
        UsageError: The arguments do not fit together, or not the environment.
    """
    if unknown := web_options.keys() - WebOptions.__annotations__.keys():
        raise TypeError(f"create_app() has no argument {', '.join(sorted(unknown))}")
    if web_options:
        ignored = ", ".join(sorted(web_options))
        logger.warning("options of OpenEnv's Gradio page, which have no effect here: %s", ignored)
    if max_concurrent_envs is not None and concurrency_config is not None:
        raise UsageError("give max_concurrent_envs or concurrency_config, not both")
    if concurrency_config is not None:
        max_concurrent_envs = concurrency_config.max_concurrent_envs
    settings = settings or ServerSettings.from_environ()
    if concurrency_config is not None and concurrency_config.session_timeout is not None:
        settings = settings.with_idle_timeout(concurrency_config.session_timeout)
    definition = define(
        env,
        action_cls,
        observation_cls,
        name=env_name,
        max_sessions=settings.max_sessions or max_concurrent_envs,
        state_cls=state_cls,
        reset_observation_cls=reset_observation_cls,
    )
    return compose_app(definition, settings, mode, shared)


def create_fastapi_app(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    max_concurrent_envs: int | None = None,
    concurrency_config: ConcurrencyConfig | None = None,
    env_name: str | None = None,
    state_cls: type[BaseModel] = State,
    *,
    mode: ServerMode | str | None = None,
    reset_observation_cls: type[BaseModel] | None = None,
) -> FastAPI:
    """Make the same app as `create_app`; OpenEnv's other name, with its other order of arguments."""
    return create_app(
        env,
        action_cls,
        observation_cls,
        env_name,
        max_concurrent_envs,
        concurrency_config,
        state_cls,
        mode=mode,
        reset_observation_cls=reset_observation_cls,
    )


def compose_app(
    definition: EnvironmentDefinition,
    settings: ServerSettings,
    mode: ServerMode | str | None = None,
    shared: SharedState | None = None,
) -> FastAPI:
    """Make the ASGI app of an environment that is defined already; see `create_app`."""
    runaways = Runaways(settings.max_runaways)
    workers = SpareWorkers(definition, settings.spare_workers)
    new_executor = partial(make_executor, definition, runaways, workers)
    enquiries = Enquiries(new_executor, settings)
    mcp = McpService(
        table := SessionTable(
            new_executor,
            capacity=definition.capacity,
            settings=settings,
            environment_name=definition.name,
            lenient=definition.lenient,
            features=definition.features,
        ),
        definition.name,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hide_session_ids()
        table.reopen()  # for tests serve one app many times
        enquiries.reopen()
        async with nullcontext() if shared is None else served(shared, definition.name):
            if definition.execution is Execution.PROCESS:
                workers.open()
            yield
            await table.drain(grace=0)
            await workers.close()
            definition.close()

    app = FastAPI(
        title=f"{definition.name} (OpenEnv)",
        description="An environment in OpenEnv's protocol. Sessions live on the WebSocket `/ws`, or on HTTP.",
        lifespan=lifespan,
    )
    app.state.sessions = table
    app.add_middleware(SecurityMiddleware, settings=settings)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", SESSION_HEADER],
            expose_headers=[SESSION_HEADER],
            allow_credentials="*" not in settings.allowed_origins,
        )
    app.include_router(info_router(definition, table, enquiries, runaways))
    if _parse_mode(mode) is ServerMode.SIMULATION:
        app.include_router(HttpSessions(table).router())
    app.include_router(mcp_router(mcp))
    app.include_router(tasks_router(definition.name, enquiries))
    app.router.routes.append(
        WebSocketRoute("/mcp", McpWebSocketEndpoint(table, mcp, settings), name="mcp_ws")
    )
    app.router.routes.append(WebSocketRoute("/ws", WebSocketEndpoint(table, mcp, settings), name="ws"))
    return app


def _parse_mode(mode: ServerMode | str | None) -> ServerMode:
    text = mode or os.environ.get("OPENENV_MODE") or ServerMode.SIMULATION
    try:
        return ServerMode(text.lower())
    except ValueError:
        known = ", ".join(ServerMode)
        raise UsageError(f"mode {text!r} is not one of {known}") from None
