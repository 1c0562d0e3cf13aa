"""Holds one environment where its code runs: requests in, replies out, no exception past this point.

The host validates, calls, and turns what comes back into plain values. It knows nothing of loops, threads or
processes; executors put it in one.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from openenv_gym.server import failures, tool_requests
from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.jobs import QUESTIONS, Answer, HostReply, Job, Question, Restore, Snapshot
from openenv_gym.server.outcomes import refuse_awaitable
from openenv_gym.server.plain import dump_model, plain, plain_dict
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    FrameReply,
    McpReply,
    Op,
    Outcome,
    Reply,
    Request,
    RestoredReply,
    StateReply,
)

logger = logging.getLogger(__name__)

_RESET, _STEP, _STATE, _MCP = Op.RESET, Op.STEP, Op.STATE, Op.MCP  # an enum's members are slow to look up
_SNAPSHOT = Op.SNAPSHOT
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]
_Call = Callable[[], Any]
_READY = (ErrorReply, McpReply)
_BAD_ACTION = "the action does not fit its schema"


class EnvironmentHost:
    """Owns one environment instance; `open`, `handle`, `close`, or their async twins, in one place each.

    Args:
        definition: The environment.
        offload: How the async twins run a ``reset`` or ``step`` that is not a coroutine function, so that it
            does not hold up the loop; ``None`` calls it directly.
        pickles: Whether snapshots leave and come as bytes. Only in a worker process: what one of them packed
            there, unpacks in another that its session forks to, and never in the server.
    """

    def __init__(
        self, definition: EnvironmentDefinition, offload: Offload | None = None, *, pickles: bool = False
    ) -> None:
        self.definition = definition
        self._offload = offload
        self._pickles = pickles
        self._env: Any = None
        self._validate_action = definition.validate_action
        self._read_outcome = definition.outcomes.read

    # --- synchronous: the environment's methods are plain functions

    def open(self) -> ErrorReply | None:
        """Make the environment; a returned error says why that failed."""
        try:
            self._env = self.definition.factory()
        except BaseException as error:  # noqa: BLE001 - logged there
            return failures.not_made(self.definition.name, error)
        return None

    def handle(self, job: Job, timeout: float | None = None) -> HostReply:
        """Run one job.

        Args:
            job: What to do.
            timeout: Told to ``step`` as ``timeout_s``.
        """
        try:
            if type(job) is Request and job.op is _STEP:  # most jobs
                return self._step(job.payload, timeout)
            call = self._call_for(job, timeout)
            if isinstance(call, _READY):
                return call
            result = call()
            if isinstance(job, Question) and inspect.iscoroutine(result):
                result = asyncio.run(result)  # a synchronous environment's task methods may be asynchronous
            return self._reply_to(job, result)
        except BaseException as error:  # noqa: BLE001 - logged there
            return failures.failed(self.definition.name, job, error)

    def _step(self, payload: dict[str, Any], timeout: float | None) -> Reply:
        """Do what `_step_call` and `_reply_to` do together, without a call object between them."""
        try:
            action = self._validate_action(payload)
        except ValidationError as error:
            return failures.misfit(_BAD_ACTION, error)
        methods = self.definition.methods
        step = getattr(self._env, methods.step)
        observation = step(action, timeout_s=timeout) if methods.step_takes_timeout else step(action)
        return self._read_outcome(observation, methods.step)

    def close(self) -> None:
        """Close the environment; what it raises is logged."""
        env, self._env = self._env, None
        close = self._closer(env)
        if close is None:
            return
        try:
            refuse_awaitable("close", close())
        except BaseException:
            logger.exception("%s: close() failed", self.definition.name)

    # --- asynchronous: some of them are coroutine functions

    async def open_async(self) -> ErrorReply | None:
        """Make the environment on the running loop."""
        return self.open()

    async def handle_async(self, job: Job, timeout: float | None = None) -> HostReply:
        """Run one job; raises nothing but ``CancelledError``, when the task is cancelled from outside."""
        try:
            call = self._call_for(job, timeout)
            if isinstance(call, _READY):
                return call
            if self._offload is not None and self._blocks(job):
                result = await self._offload(call)
            else:
                result = call()
                if inspect.isawaitable(result):
                    del call  # thousands may wait here, and the collector looks at whatever they hold
                    result = await result
            return self._reply_to(job, result)
        except BaseException as error:
            if _is_cancellation(error):
                raise
            return failures.failed(self.definition.name, job, error)

    async def close_async(self) -> None:
        """Close the environment; what it raises is logged."""
        env, self._env = self._env, None
        close = self._closer(env)
        if close is None:
            return
        try:
            result = close()
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            if _is_cancellation(error):
                raise
            logger.exception("%s: close() failed", self.definition.name)

    # --- requests -> calls

    def _call_for(self, job: Job, timeout: float | None) -> _Call | ErrorReply | McpReply:
        """Turn a job into a call without arguments, or into the reply it has earned already."""
        if isinstance(job, Question):
            return self._question_call(job)
        if isinstance(job, Restore):
            return self._restore_call(job.state)
        op = job.op
        if op is _STEP:
            return self._step_call(job.payload, timeout)
        if op is _RESET:
            return self._reset_call(job.payload)
        if op is _STATE:
            return self._read_state
        if op is _MCP:
            return self._mcp_call(job.payload, timeout)
        if op is _SNAPSHOT:
            snapshot: _Call = self._env.snapshot
            return snapshot
        if op is Op.RENDER:
            return self._render_call(job.payload)
        return ErrorReply(ErrorCode.UNKNOWN_TYPE, f"an environment does not handle {job.op}")

    def _step_call(self, payload: dict[str, Any], timeout: float | None) -> _Call | ErrorReply:
        try:
            action = self._validate_action(payload)
        except ValidationError as error:
            return failures.misfit(_BAD_ACTION, error)
        return self._step_by(action, timeout)

    def _step_by(self, action: BaseModel, timeout: float | None) -> _Call:
        methods = self.definition.methods
        step = getattr(self._env, methods.step)
        if methods.step_takes_timeout:
            return functools.partial(step, action, timeout_s=timeout)
        return functools.partial(step, action)

    def _reset_call(self, payload: dict[str, Any]) -> _Call | ErrorReply:
        options = self.definition.methods.reset_options
        if unknown := options.unknown(payload):
            return failures.unknown_options(unknown, ("seed", "episode_id", *options.names))
        try:
            valid = options.adapter.validate_python(payload)
        except ValidationError as error:
            return failures.misfit("the reset options do not fit", error)
        if not options.seed:
            valid.pop("seed", None)
        if not options.episode_id:
            valid.pop("episode_id", None)
        return functools.partial(getattr(self._env, self.definition.methods.reset), **valid)

    def _read_state(self) -> Any:
        state = self._env.state
        return state() if inspect.ismethod(state) else state  # OpenEnv's first releases had a method

    def _mcp_call(self, payload: dict[str, Any], timeout: float | None) -> _Call | McpReply:
        """Have the environment's own ``handle_mcp`` answer; where there is none, make a step of it."""
        handle_mcp = getattr(self._env, "handle_mcp", None)
        if handle_mcp is not None:
            return functools.partial(handle_mcp, payload)
        action = tool_requests.action_of(payload, self.definition)
        return action if isinstance(action, McpReply) else self._step_by(action, timeout)

    def _render_call(self, payload: dict[str, Any]) -> _Call | ErrorReply:
        modes, mode = self.definition.render_modes, payload.get("mode")
        if mode not in modes:
            text = (
                f"{self.definition.name} renders {', '.join(modes) or 'nothing'}, and no {str(mode)[:40]!r}"
            )
            return ErrorReply(ErrorCode.VALIDATION_ERROR, text, {"errors": []})
        return functools.partial(self._env.render, mode)

    def _restore_call(self, state: Any) -> _Call:
        return functools.partial(self._env.restore, pickle.loads(state) if self._pickles else state)

    def _question_call(self, question: Question) -> _Call | ErrorReply:
        method = getattr(self._env, question.method, None) if question.method in QUESTIONS else None
        if method is None:
            message = f"{self.definition.name} has no {question.method}()"
            return ErrorReply(ErrorCode.EXECUTION_ERROR, message, {"missing": question.method})
        # By position, as OpenEnv's server calls them: authors give the parameters names of their own.
        return functools.partial(method, *question.arguments.values())

    def _blocks(self, job: Job) -> bool:
        methods = self.definition.methods
        if isinstance(job, Question):
            return False
        if isinstance(job, Restore):
            return not inspect.iscoroutinefunction(self._env.restore)
        match job.op:
            case Op.STEP:
                return not methods.step_is_async
            case Op.MCP:
                return not methods.step_is_async and not hasattr(self._env, "handle_mcp")
            case Op.RESET:
                return not methods.reset_is_async
            case Op.SNAPSHOT:
                return not inspect.iscoroutinefunction(self._env.snapshot)
            case Op.RENDER:
                return not inspect.iscoroutinefunction(self._env.render)
        return False

    def _closer(self, env: Any) -> Callable[[], Any] | None:
        if env is None or self.definition.shared_instance:
            return None
        close: Callable[[], Any] | None = getattr(env, "close", None)
        return close

    # --- results -> replies

    def _reply_to(self, job: Job, result: Any) -> HostReply:
        if isinstance(job, Question):
            refuse_awaitable(job.method, result)
            return Answer(plain(result))
        if isinstance(job, Restore):
            refuse_awaitable("restore", result)
            return RestoredReply()
        op = job.op
        if op is _STEP:
            return self._read_outcome(result, self.definition.methods.step)
        if op is _RESET:
            outcome = self._read_outcome(result, self.definition.methods.reset)
            return _with_dropped(outcome, self.definition.methods.reset_options.dropped(job.payload))
        if op is _STATE:
            return StateReply(_state_values(result))
        if op is _SNAPSHOT:
            refuse_awaitable("snapshot", result)
            return Snapshot(pickle.dumps(result, pickle.HIGHEST_PROTOCOL) if self._pickles else result)
        if op is Op.RENDER:
            refuse_awaitable("render", result)
            return FrameReply(plain(result))
        if hasattr(self._env, "handle_mcp"):
            refuse_awaitable("handle_mcp", result)
            return McpReply(plain_dict(result, "handle_mcp()"))
        return tool_requests.reply_of(job.payload, self._read_outcome(result, self.definition.methods.step))


def _is_cancellation(error: BaseException) -> bool:
    """Whether this task is being cancelled, as opposed to an author's ``CancelledError`` out of the blue."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    return cancelled or isinstance(error, GeneratorExit)


def _with_dropped(outcome: Outcome, dropped: list[str]) -> Outcome:
    if not dropped:
        return outcome
    metadata = {**(outcome.metadata or {}), "dropped": dropped}
    return Outcome(outcome.observation, outcome.reward, outcome.done, outcome.truncated, metadata)


def _state_values(state: Any) -> dict[str, Any]:
    refuse_awaitable("state", state)
    if isinstance(state, BaseModel):
        return dump_model(state)
    return plain_dict(state, "state")
