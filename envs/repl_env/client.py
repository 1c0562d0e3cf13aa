"""The typed client of the REPL environment."""

from __future__ import annotations

from openenv_gym.client.env_client import EnvClient
from openenv_gym.models import StepResult
from repl_env.models import REPLAction, REPLObservation, REPLState


class REPLEnv(EnvClient[REPLAction, REPLObservation, REPLState]):
    """One session at a REPL server."""

    server_app = "repl_env.server.app:app"

    async def execute(self, code: str) -> StepResult[REPLObservation]:
        """Run a cell."""
        return await self.step(REPLAction(code=code))

    async def submit_final_answer(self, answer: str) -> StepResult[REPLObservation]:
        """Give the final answer, which ends the episode."""
        return await self.step(REPLAction(is_final=True, final_answer=answer))

    async def list_variables(self) -> list[str]:
        """Name the variables."""
        return (await self.state()).namespace_keys
