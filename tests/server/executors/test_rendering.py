"""Frames wherever an environment runs, and whoever asks: an executor's caller, a client, an adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openenv_gym import GenericEnvClient
from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.errors import InvalidActionError, NotResetError, NotSupportedError, UsageError
from openenv_gym.server.app import create_app
from openenv_gym.server.definition import define
from openenv_gym.wire.messages import ErrorReply, FrameReply, Op, Request
from tests.server.executors.conftest import Make
from tests.server.sample_environments import Heard, Parrot, Say
from tests.servers import LiveServer

MODELS = {"action_cls": Say, "observation_cls": Heard}


class Painter(Parrot):
    GYMNASIUM_METADATA = {"render_modes": ["rgb_array", "ansi"], "render_fps": 3}  # noqa: RUF012

    def render(self, mode: str) -> Any:
        if self._state.step_count > 3:
            raise LookupError("out of paint")
        return "a parrot" if mode == "ansi" else np.full((2, 3, 3), 7, np.uint8)


class AsyncPainter(Painter):
    async def step_async(self, action: Say, timeout_s: float | None = None, **kwargs: Any) -> Heard:
        return self.step(action, timeout_s)

    async def render(self, mode: str) -> Any:
        return super().render(mode)


class Boaster(Parrot):
    GYMNASIUM_METADATA = {"render_modes": ["rgb_array"]}  # noqa: RUF012


@pytest.mark.parametrize("env", [Painter, AsyncPainter])
@pytest.mark.parametrize("execution", ["inline", "async", "thread", "process"])
async def test_a_frame_comes_from_where_the_environment_runs(make: Make, env: type, execution: str) -> None:
    if env is AsyncPainter and execution == "thread":
        execution = "inline"  # on an event loop of its own
    executor = make(env, execution, **MODELS)
    await executor.open()
    await executor.handle(Request(Op.RESET), 30)
    frame = await executor.handle(Request(Op.RENDER, {"mode": "rgb_array"}), 30)
    assert isinstance(frame, FrameReply)
    np.testing.assert_array_equal(frame.frame, np.full((2, 3, 3), 7, np.uint8))
    assert await executor.handle(Request(Op.RENDER, {"mode": "ansi"}), 30) == FrameReply("a parrot")
    for payload in ({"mode": "human"}, {"mode": ["ansi"]}, {}):
        refused = await executor.handle(Request(Op.RENDER, payload), 30)
        assert isinstance(refused, ErrorReply)
        assert "renders rgb_array, ansi" in refused.message
    for _ in range(4):
        await executor.handle(Request(Op.STEP, {"message": "x"}), 30)
    failed = await executor.handle(Request(Op.RENDER, {"mode": "ansi"}), 30)
    assert isinstance(failed, ErrorReply)
    assert "out of paint" in failed.message
    assert not failed.ends_session


def test_who_names_modes_can_draw_them() -> None:
    with pytest.raises(UsageError, match=r"no render\(mode\)"):
        define(Boaster, Say, Heard)
    assert define(Painter, Say, Heard).features == ("render",)
    assert define(Parrot, Say, Heard).features == ()


def test_a_client_gets_frames(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_app(Painter, Say, Heard))
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        with pytest.raises(NotResetError):
            client.render()
        client.reset()
        assert client.render().shape == (2, 3, 3)
        assert client.render("ansi") == "a parrot"
        with pytest.raises(InvalidActionError, match="renders rgb_array, ansi"):
            client.render("human")
    env = RemoteEnv(server.base_url, render_mode="ansi")
    assert env.metadata["render_fps"] == 3
    env.reset()
    assert env.render() == "a parrot"
    env.close()


def test_an_environment_without_render_says_so(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_app(Parrot, Say, Heard))
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        client.reset()
        with pytest.raises(NotSupportedError, match="offers no render"):
            client.render()
