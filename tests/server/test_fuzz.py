"""Random frames against a real app, in this process: every frame gets one reply, and the session survives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, InlineParrot, Say


class Socket:
    """The client's end of an ASGI WebSocket."""

    def __init__(self, app: Any) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "path": "/ws",
            "raw_path": b"/ws",
            "root_path": "",
            "scheme": "ws",
            "query_string": b"",
            "headers": [],
            "subprotocols": [],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.served = asyncio.create_task(app(scope, self._to_app.get, self._from_app.put))

    async def receive(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self._from_app.get(), 30)
        if message["type"] == "websocket.send":
            reply = json.loads(message["text"])
            assert isinstance(reply, dict)
            return reply
        return message

    async def ask(self, frame: str | bytes) -> dict[str, Any]:
        key = "text" if isinstance(frame, str) else "bytes"
        self._to_app.put_nowait({"type": "websocket.receive", key: frame})
        return await self.receive()

    async def leave(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.served


async def converse(app: Any, frames: list[str | bytes]) -> None:
    socket = Socket(app)
    assert (await socket.receive())["type"] == "websocket.accept"
    for frame in frames:
        reply = await socket.ask(frame)
        if reply["type"] == "websocket.close":
            assert json.loads(frame)["type"] == "close"
            break
        assert reply["type"] in ("observation", "state", "error", "mcp"), reply
    else:
        assert (await socket.ask('{"type": "reset"}'))["type"] == "observation"
        assert (await socket.ask('{"type": "step", "data": {"message": "x"}}'))["data"]["reward"] == 1.0
    await socket.leave()
    closing = [session.closing for session in app.state.sessions._register]
    assert None not in closing
    await asyncio.gather(*closing)
    assert app.state.sessions.active == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
known = st.sampled_from(["reset", "step", "state", "mcp", "close"])
nearly_frames = st.fixed_dictionaries(
    {"type": known | json_values},
    optional={
        "data": st.fixed_dictionaries(
            {},
            optional={
                "message": json_values,
                "seed": json_values,
                "greeting": json_values,
                "jsonrpc": st.just("2.0") | json_values,
                "method": st.sampled_from(["tools/list", "openenv/session/create"]) | json_values,
                "id": json_values,
            },
        )
        | json_values,
        "extra": json_values,
    },
).map(json.dumps)
frames = st.lists(
    st.text(max_size=50) | st.binary(max_size=50) | json_values.map(json.dumps) | nearly_frames, max_size=8
)


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[list[str | bytes]], None]]:
    app = create_app(InlineParrot, Say, Heard)
    with asyncio.Runner() as runner:
        yield lambda frames: runner.run(converse(app, frames))


@given(frames=frames)
@settings(max_examples=150, deadline=None)
def test_no_frame_breaks_the_session(serve, frames):
    serve(frames)
