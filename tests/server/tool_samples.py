"""Environments with tools: one of plain methods, and one of FastMCP's, as OpenEnv's documentation has it."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastmcp import Context, FastMCP
from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import MCPEnvironment, ToolEnvironment, tool


class Counter(ToolEnvironment[State]):
    """Tools that are methods, with state between them."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        self.total = 0
        return Observation(metadata={"ready": True})

    @tool
    def add(self, amount: Annotated[int, Field(ge=0, description="How much")], times: int = 1) -> int:
        """Add to the total."""
        self.total += amount * times
        return self.total

    @tool
    def tell(self) -> dict[str, Any]:
        """Tell the total."""
        return {"total": self.total, "text": "zwölf 🚀"}

    @tool
    def fail(self) -> None:
        """Raise."""
        raise LookupError("file not found: an argument was invalid")

    @tool
    def model(self) -> None:
        """Raise a ValidationError of its own."""
        Say.model_validate({"nothing": 1})

    @property
    def state(self) -> State:
        return State(total=self.total)  # type: ignore[call-arg]


class Say(Action):
    message: str


class Desk(MCPEnvironment):
    """FastMCP's tools, and an action of its own."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        server: FastMCP[Any] = FastMCP("desk")

        @server.tool
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        @server.tool
        def look() -> dict[str, Any]:
            return {"seen": [1, 2.5, "é"]}

        @server.tool
        def fail() -> str:
            raise LookupError("file not found: an argument was invalid")

        @server.tool
        async def dawdle(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "done"

        @server.tool
        def block(seconds: float) -> str:
            time.sleep(seconds)
            return "done"

        @server.tool
        async def remember(ctx: Context, text: str) -> str:
            before = await ctx.get_state("text")
            await ctx.set_state("text", text)
            return str(before)

        super().__init__(server)
        self._state = State()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        self._state = State(episode_id=episode_id)
        return Observation(reward=0.0, metadata={"status": "ready"})

    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        self._state.step_count += 1
        return Observation(metadata={"heard": action.message})

    @property
    def state(self) -> State:
        return self._state


class DeskOnThreads(Desk):
    EXECUTION = "thread"


class DeskInProcesses(Desk):
    EXECUTION = "process"
