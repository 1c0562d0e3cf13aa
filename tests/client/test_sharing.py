from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest

from openenv_gym.client.dialling import WebSocketDial
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.sharing import shared_connector
from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app
from openenv_gym.transport import websocket
from tests.servers import LiveServer


class Counter(Environment[Action, Observation, State]):
    """Counts nothing; any number of them fit a server."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Observation:  # type: ignore[override]
        return Observation()

    def step(self, action: Action, timeout_s: float | None = None) -> Observation:  # type: ignore[override]
        return Observation(reward=1.0)

    @property
    def state(self) -> State:
        return State()


@pytest.fixture
def handshakes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were connected to, a handshake each."""
    seen: list[str] = []
    connect = websocket.connect

    async def counted(base_url: str, **options: object) -> websocket.WebSocketTransport:
        seen.append(base_url)
        return await connect(base_url, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(websocket, "connect", counted)
    return seen


def test_clients_that_connect_alike_share_a_connector_as_long_as_one_lives() -> None:
    dial = WebSocketDial(headers=(("X-Team", "a"),))
    connector = shared_connector(dial, "auto", 7.0)
    assert shared_connector(WebSocketDial(headers=(("X-Team", "a"),)), "auto", 7.0) is connector
    assert shared_connector(WebSocketDial(headers=(("X-Team", "b"),)), "auto", 7.0) is not connector
    assert shared_connector(dial, "v1", 7.0) is not connector
    assert shared_connector(dial, "auto", 8.0) is not connector
    gone = weakref.ref(connector)
    del connector
    gc.collect()
    assert gone() is None


async def test_the_sessions_of_many_clients_travel_on_one_connection(
    live_server: Callable[..., LiveServer], handshakes: list[str]
) -> None:
    server = live_server(create_app(Counter, Action, Observation))
    clients = [GenericEnvClient(server.base_url) for _ in range(8)]
    await asyncio.gather(*(client.reset() for client in clients))
    assert len(handshakes) == 1
    results = await asyncio.gather(*(client.step({}) for client in clients))
    assert [result.reward for result in results] == [1.0] * 8
    await asyncio.gather(*(client.close() for client in clients[:7]))
    assert (await clients[7].step({})).reward == 1.0
    await clients[7].close()


async def test_a_client_with_options_of_its_own_has_a_connection_of_its_own(
    live_server: Callable[..., LiveServer], handshakes: list[str]
) -> None:
    server = live_server(create_app(Counter, Action, Observation))
    async with (
        GenericEnvClient(server.base_url) as one,
        GenericEnvClient(server.base_url, headers={"X-Rollout": "7"}) as other,
    ):
        await asyncio.gather(one.reset(), other.reset())
        assert len(handshakes) == 2
