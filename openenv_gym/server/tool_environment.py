"""Environments whose actions are calls of their own methods, with nothing but this package installed."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from openenv_gym.errors import ToolCallError, UsageError
from openenv_gym.server.environment import Environment, StateT
from openenv_gym.server.toolbox import Toolbox, describe_failure, lay_out, refuse_reserved
from openenv_gym.tools import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    ToolError,
    ToolErrorType,
)

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__openenv_gym_tool__"


def tool(method: F) -> F:
    """Mark a method of a `ToolEnvironment` as a tool.

    Its name is the tool's, its docstring the description, and its annotations (pydantic's ``Field`` in
    ``Annotated`` too) the schema that arguments are validated by.
    """
    setattr(method, _MARK, True)
    return method


class ToolEnvironment(Environment[Any, Any, StateT]):
    """An environment with tools: methods marked by `tool`.

    Its users list and call them by ``step``, and over MCP::

        class Calculator(ToolEnvironment[State]):
            def reset(self, seed=None, episode_id=None, **kwargs):
                return Observation()

            @tool
            def add(self, a: int, b: int) -> int:
                \"\"\"Add two numbers.\"\"\"
                return a + b

            @property
            def state(self):
                return State()

    What a tool raises is told to the agent in the observation's ``error``; the episode goes on. Actions of
    other kinds, if there are any, go to `_step_impl`. All methods of an instance run where its ``EXECUTION``
    says, by default on one thread of its own. For FastMCP's tools see `MCPEnvironment`.

    Raises:
        ValueError: A tool has a reserved name (`openenv_gym.tools.RESERVED_TOOL_NAMES`).
    """

    LENIENT: ClassVar[bool] = True
    OFFERS_TOOLS: ClassVar[bool] = True

    _tool_names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        members = [member for base in reversed(cls.__mro__) for member in vars(base).items()]
        cls._tool_names = tuple(dict.fromkeys(name for name, member in members if hasattr(member, _MARK)))
        refuse_reserved(cls._tool_names)
        for name in cls._tool_names:
            if inspect.iscoroutinefunction(getattr(cls, name)):
                raise UsageError(
                    f"{cls.__name__}.{name} is a coroutine function: write the tool without async, or make "
                    "it a FastMCP server's and use MCPEnvironment"
                )

    @functools.cached_property
    def toolbox(self) -> Toolbox:
        """The instance's tools; ``toolbox.add(function)`` adds one. Made when it is first asked for."""
        toolbox = Toolbox()
        for name in self._tool_names:
            toolbox.add(getattr(self, name), name)
        return toolbox

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """List the tools, call one, or pass the action to `_step_impl`."""
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=self.toolbox.tools)
        if isinstance(action, CallToolAction):
            return self._call_tool(action)
        return self._step_impl(action, timeout_s=timeout_s, **kwargs)

    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Apply an action that is no tool's; override it where there are such actions."""
        raise refuse_action(self, action)

    def _call_tool(self, action: CallToolAction) -> CallToolObservation:
        name = action.tool_name
        try:
            result = lay_out(self.toolbox.bind(name, action.arguments)())
        except ToolCallError as error:
            return failed_call(name, error.error_type, str(error))
        except Exception as error:
            logger.warning("%s: tool %r raised", type(self).__name__, name, exc_info=True)
            return failed_call(name, ToolErrorType.EXECUTION_ERROR, describe_failure(error))
        return CallToolObservation(tool_name=name, result=result)


def failed_call(tool_name: str, error_type: str, message: str) -> CallToolObservation:
    """Tell in an observation that a call gave no result."""
    error = ToolError(error_type=ToolErrorType(error_type), message=message)
    return CallToolObservation(tool_name=tool_name, error=error)


def refuse_action(env: object, action: object) -> Exception:
    """Make the error for an action that an environment of tools does not take."""
    return UsageError(
        f"{type(env).__name__} takes ListToolsAction and CallToolAction, not {type(action).__name__}: "
        "override _step_impl() for others"
    )
