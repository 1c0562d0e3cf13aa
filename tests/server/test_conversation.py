"""A conversation on a scripted socket, where what a real one does only sometimes happens always."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from openenv_gym.server.conversation import Conversation
from openenv_gym.server.definition import define
from openenv_gym.server.executors import Runaways, make_executor
from openenv_gym.server.mcp import McpService
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from tests.server.sample_environments import Heard, InlineParrot, Say

RESET: dict[str, Any] = {"type": "reset"}
STATE: dict[str, Any] = {"type": "state"}


class Socket:
    """An ASGI connection whose client has sent everything at once, and then leaves."""

    def __init__(self, frames: list[dict[str, Any]]) -> None:
        self._messages = [{"type": "websocket.receive", "text": json.dumps(frame)} for frame in frames]
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self._messages.pop(0) if self._messages else {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


def table_of(env: type) -> SessionTable:
    definition = define(env, Say, Heard)
    return SessionTable(
        lambda: make_executor(definition, Runaways(8)),
        capacity=2,
        settings=ServerSettings(),
        environment_name="parrot",
    )


async def converse(table: SessionTable, socket: Socket) -> None:
    conversation = Conversation(table, McpService(table), 2**20, socket.receive, socket.send)
    await conversation.run(None)
    await table.drain(grace=0)
    assert table.active == 0


async def test_frames_that_came_before_the_session_was_open_are_answered_in_order():
    socket = Socket([RESET, *[{"type": "step", "data": {"message": str(n)}} for n in range(30)]])
    await converse(table_of(InlineParrot), socket)
    echoes = [json.loads(message["text"])["data"]["observation"]["echo"] for message in socket.sent]
    assert echoes == ["hello", *map(str, range(30))]


async def test_a_client_that_sends_a_thousand_frames_lets_others_have_their_turn():
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    socket = Socket([RESET, *[STATE] * 1000])
    await converse(table_of(InlineParrot), socket)
    task.cancel()
    assert len(socket.sent) == 1001
    assert turns > 100
