"""OpenEnv's own clients on our Coding server: the generic one, and a typed one of upstream's shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openenv.core import GenericEnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import Action, Observation, State

from coding_env.server.app import make_app
from coding_env.server.settings import CodingSettings
from tests.servers import LiveServer


class UpstreamAction(Action):
    code: str


class UpstreamObservation(Observation):
    """The fields of OpenEnv's coding environment; unknown ones are refused."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


class UpstreamState(State):
    last_exit_code: int = 0


class UpstreamClient(EnvClient[UpstreamAction, UpstreamObservation, UpstreamState]):
    """Reads the wire as OpenEnv's `CodingEnv` does."""

    def _step_payload(self, action: UpstreamAction) -> dict[str, Any]:
        return {"code": action.code}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[UpstreamObservation]:
        observation = UpstreamObservation(**payload["observation"])
        return StepResult(
            observation=observation, reward=payload.get("reward"), done=bool(payload.get("done", False))
        )

    def _parse_state(self, payload: dict[str, Any]) -> UpstreamState:
        return UpstreamState(
            episode_id=payload.get("episode_id"),
            step_count=payload.get("step_count", 0),
            last_exit_code=payload.get("last_exit_code", 0),
        )


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    started = LiveServer(make_app(CodingSettings(spares=1))).start()
    yield started
    started.stop()


async def test_the_typed_client(server: LiveServer) -> None:
    async with UpstreamClient(base_url=server.base_url) as client:
        first = await client.reset()
        assert (first.observation.stdout, first.observation.exit_code, first.reward) == ("", 0, 0.0)
        assert (await client.step(UpstreamAction(code="print('Hello, World!')"))).observation.stdout == (
            "Hello, World!\n"
        )
        result = await client.step(UpstreamAction(code="import subprocess\nx = 1 / 0"))
        assert result.observation.exit_code == 1
        assert "ZeroDivisionError" in result.observation.stderr
        assert result.reward == pytest.approx(-0.9)
        assert result.done is False
        state = await client.state()
        assert (state.step_count, state.last_exit_code) == (2, 1)


def test_the_generic_client(server: LiveServer) -> None:
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        client.reset(seed=1)
        observation = client.step({"code": "1 +"}).observation
        assert observation["exit_code"] == 1
        assert observation["stderr"].endswith("SyntaxError: invalid syntax\n")
