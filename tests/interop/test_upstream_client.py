"""OpenEnv's own client, unmodified, against our server; every test runs against OpenEnv's server too."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import websockets
from openenv.core import GenericEnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient

from tests.interop.upstream_counter import CountAction, CountObservation, CountState
from tests.servers import LiveServer


class CounterClient(EnvClient[CountAction, CountObservation, CountState]):
    """A typed client as OpenEnv's documentation has its users write it."""

    def _step_payload(self, action: CountAction) -> dict[str, Any]:
        return action.model_dump()

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[CountObservation]:
        observation = CountObservation(
            **payload["observation"], done=payload["done"], reward=payload["reward"]
        )
        return StepResult(observation=observation, reward=payload["reward"], done=payload["done"])

    def _parse_state(self, payload: dict[str, Any]) -> CountState:
        return CountState(**payload)


async def test_async_client(any_server: LiveServer) -> None:
    async with GenericEnvClient(base_url=any_server.base_url) as client:
        first = await client.reset(seed=1, goal=3)
        assert first.observation["total"] == 0
        assert first.done is False
        assert first.reward is None
        second = await client.step({"how": "add", "amount": 2, "note": "zwölf 🚀"})
        assert second.observation["note"] == "zwölf 🚀"
        assert second.metadata == {"goal": 3}
        last = await client.step({"amount": 5})
        assert last.done is True
        assert last.reward == 1.0
        state = await client.state()
        assert (state["step_count"], state["goal"]) == (2, 3)


def test_sync_client(any_server: LiveServer) -> None:
    with GenericEnvClient(base_url=any_server.base_url).sync() as client:
        assert client.reset(seed=1).observation["total"] == 0
        assert client.step({"amount": 2}).observation["history"] == [2]
        assert client.state()["step_count"] == 1


async def test_typed_client(any_server: LiveServer) -> None:
    async with CounterClient(base_url=any_server.base_url) as client:
        result = await client.reset(seed=4)
        assert isinstance(result.observation, CountObservation)
        assert result.observation.hint == "even"
        result = await client.step(CountAction(amount=3))
        assert result.observation.hint is None
        assert (await client.state()).goal == 5


async def test_sessions_are_apart(any_server: LiveServer) -> None:
    clients = [GenericEnvClient(base_url=any_server.base_url) for _ in range(4)]
    await asyncio.gather(*(client.connect() for client in clients))
    await asyncio.gather(*(client.reset(seed=i, goal=100) for i, client in enumerate(clients)))
    for _ in range(3):
        await asyncio.gather(*(client.step({"amount": i}) for i, client in enumerate(clients)))
    states = await asyncio.gather(*(client.step({"amount": 0}) for client in clients))
    assert [result.observation["total"] for result in states] == [0, 3, 6, 9]
    await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"how": "multiply"}, "VALIDATION_ERROR"),
        ({"amount": "many"}, "VALIDATION_ERROR"),
        ({"unknown": 1}, "VALIDATION_ERROR"),
        ({"how": "take", "amount": 9}, "EXECUTION_ERROR"),
    ],
)
async def test_errors_leave_the_session_usable(
    any_server: LiveServer, action: dict[str, Any], code: str
) -> None:
    async with GenericEnvClient(base_url=any_server.base_url) as client:
        await client.reset(seed=1)
        with pytest.raises(RuntimeError, match=code):
            await client.step(action)
        await client.reset(seed=1)
        assert (await client.step({"amount": 1})).observation["total"] == 1


async def test_raw_frames(any_server: LiveServer) -> None:
    """What a client in another language sends, and the codes it is answered with."""
    async with websockets.connect(any_server.ws_url) as socket:

        async def ask(frame: str) -> dict[str, Any]:
            await socket.send(frame)
            reply: dict[str, Any] = json.loads(await socket.recv())
            return reply

        assert (await ask("{nonsense"))["data"]["code"] == "INVALID_JSON"
        assert (await ask('{"type": "dance"}'))["data"]["code"] == "UNKNOWN_TYPE"
        assert (await ask('{"type": "step"}'))["data"]["code"] == "VALIDATION_ERROR"
        assert (await ask('{"type": "reset", "extra": 1}'))["data"]["code"] == "VALIDATION_ERROR"
        reply = await ask('{"type": "reset", "data": {"seed": 7}}')
        assert reply["type"] == "observation"
        assert set(reply["data"]) == {"observation", "reward", "done", "metadata"}
        assert set(reply["data"]["observation"]) == {"total", "noise", "note", "history", "hint", "metadata"}
        reply = await ask('{"type": "mcp", "data": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}}')
        assert reply["type"] == "mcp"
        assert "error" in reply["data"]


def test_capacity(small_server: LiveServer) -> None:
    clients = [GenericEnvClient(base_url=small_server.base_url).sync() for _ in range(3)]
    try:
        clients[0].reset()
        clients[1].reset()
        with pytest.raises(RuntimeError, match="CAPACITY_REACHED"):
            clients[2].reset()
        clients[0].step({"amount": 1})
    finally:
        for client in clients:
            client.close()


def test_http_routes_agree(our_server: LiveServer, upstream_server: LiveServer) -> None:
    ours, theirs = (httpx.Client(base_url=server.base_url) for server in (our_server, upstream_server))
    with ours, theirs:
        for path in ("/health", "/schema", "/metadata", "/list_environments", "/counter/splits"):
            a, b = ours.get(path), theirs.get(path)
            assert (a.status_code, a.json()) == (b.status_code, b.json()), path
        posts: list[tuple[str, dict[str, Any]]] = [
            ("/counter/tasks", {"split": "train"}),
            ("/counter/num_tasks", {"split": "test"}),
            ("/counter/task", {"split": "train", "index": 2}),
            ("/counter/task_range", {"split": "train", "start": 1}),
        ]
        for path, body in posts:
            a, b = ours.post(path, json=body), theirs.post(path, json=body)
            assert (a.status_code, a.json()) == (b.status_code, b.json()), path
        for path, body in [
            ("/counter/task", {"split": "train", "index": 99}),
            ("/other/num_tasks", posts[1][1]),
        ]:
            assert ours.post(path, json=body).status_code == theirs.post(path, json=body).status_code, path
        a, b = ours.post("/reset", json={"seed": 3}).json(), theirs.post("/reset", json={"seed": 3}).json()
        assert a == b
        bad = {"action": {"how": "multiply"}}
        assert ours.post("/step", json=bad).status_code == theirs.post("/step", json=bad).status_code == 422


def test_http_sessions_last_on_ours_only(our_server: LiveServer) -> None:
    with httpx.Client(base_url=our_server.base_url) as client:
        assert client.post("/reset", json={"seed": 3, "goal": 50}).status_code == 200
        totals = [
            client.post("/step", json={"action": {"amount": 2}}).json()["observation"]["total"]
            for _ in range(3)
        ]
        assert totals == [2, 4, 6]
        assert client.get("/state").json()["step_count"] == 3
