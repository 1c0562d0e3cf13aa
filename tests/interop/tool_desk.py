"""One source for a tool environment, with OpenEnv's import lines or ours: nothing else differs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastmcp import FastMCP


def make_app(package: str, *, describes_reset: bool = True) -> Any:
    """Write the environment against a package's names, and serve it by that package.

    Args:
        package: ``openenv.core.env_server`` or ``openenv_gym.server``.
        describes_reset: Whether the app says what its resets give.
    """
    names: Any = import_module(package)

    class Shelf(names.MCPEnvironment):  # type: ignore[misc]
        """Keeps texts."""

        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self) -> None:
            server: FastMCP[Any] = FastMCP("shelf")
            self.texts: list[str] = []

            @server.tool
            def put(text: str, copies: int = 1) -> int:
                """Put a text on the shelf."""
                self.texts += [text] * copies
                return len(self.texts)

            @server.tool
            def look() -> dict[str, Any]:
                """Look at the texts."""
                return {"texts": self.texts}

            @server.tool
            def drop() -> str:
                """Fail."""
                raise RuntimeError("it fell")

            super().__init__(server)
            self._state = names.State()

        def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Any:
            self.texts.clear()
            self._state = names.State(episode_id=episode_id)
            return names.Observation(done=False, reward=0.0, metadata={"status": "ready"})

        def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            return names.Observation(metadata={"error": "not an action of mine"})

        async def step_async(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            self._state.step_count += 1
            return await super().step_async(action, timeout_s=timeout_s, **kwargs)

        @property
        def state(self) -> Any:
            return self._state

    reset_model = {"reset_observation_cls": names.Observation} if describes_reset else {}
    return names.create_app(
        Shelf,
        names.CallToolAction,
        names.CallToolObservation,
        env_name="shelf",
        max_concurrent_envs=4,
        **reset_model,
    )
