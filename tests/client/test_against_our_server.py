"""Clients and pools against this project's own server: the contract between the two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from openenv_gym.client.dialects import Dialect
from openenv_gym.client.env_client import EnvClient
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.pool import SessionPool
from openenv_gym.client.schemas import fetch_health, fetch_metadata, fetch_schema
from openenv_gym.errors import (
    AuthenticationError,
    CapacityError,
    EnvironmentFailedError,
    InvalidActionError,
    NotResetError,
    SessionLostError,
)
from openenv_gym.models import Action, Observation, State
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.server import Environment, create_app
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.patience import wait_until
from tests.dialects import every_encoding
from tests.servers import LiveServer

TOKEN = "s3cret-t0ken"
PATIENCE = 30.0  # seconds; only what is broken takes them
Serve = Callable[..., LiveServer]


class Count(Action):
    by: int = 1


class Counted(Observation):
    total: int


class Counter(Environment[Count, Counted, State]):
    """Counts; ends at ten, is cut at a limit, raises below zero."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    open = 0
    lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self._state = State()
        with Counter.lock:
            Counter.open += 1

    def reset(self, seed: int | None = None, episode_id: str | None = None, start: int = 0) -> Counted:
        self.total = start
        self._state = State(episode_id=episode_id or "some", step_count=0)
        return Counted(total=start, metadata={"seed": seed})

    def step(self, action: Count, timeout_s: float | None = None) -> Counted:
        if self.total + action.by < 0:
            raise ValueError("below zero")
        self.total += action.by
        self._state.step_count += 1
        done = self.total >= 10
        return Counted(total=self.total, reward=float(action.by), done=done, truncated=self.total > 100)

    @property
    def state(self) -> State:
        return self._state

    def close(self) -> None:
        with Counter.lock:
            Counter.open -= 1


class CounterClient(EnvClient[Count, Counted, State]):
    """Three lines are a typed client."""


def counter_app(**options: Any) -> Any:
    return create_app(Counter, Count, Counted, env_name="counter", **{"max_concurrent_envs": 8, **options})


@pytest.fixture
def counter(live_server: Serve) -> LiveServer:
    return live_server(counter_app())


@every_encoding
def test_a_typed_episode(counter: LiveServer, dialect: Dialect) -> None:
    with CounterClient(counter.base_url, dialect=dialect).sync() as client:
        result = client.reset(seed=3, episode_id="mine", start=2)
        assert result.observation.total == 2
        assert (result.metadata or {})["seed"] == 3
        result = client.step(Count(by=4))
        assert (result.observation.total, result.reward, result.done) == (6, 4.0, False)
        assert client.state().model_dump() == {"episode_id": "mine", "step_count": 1}
        result = client.step(Count(by=4))
        assert (result.terminated, result.truncated) == (True, False)
        client.reset()
        result = client.step(Count(by=200))
        # In OpenEnv's dialect `truncated` travels in the metadata: it has one `done` for both ends.
        assert (result.done, result.terminated, result.truncated) == (True, False, True)
        assert result.observation.truncated
    wait_until(lambda: Counter.open == 0)


@every_encoding
async def test_errors_have_their_types_and_the_episode_goes_on(counter: LiveServer, dialect: Dialect) -> None:
    async with GenericEnvClient(counter.base_url, dialect=dialect) as client:
        with pytest.raises(NotResetError):
            await client.step({"by": 1})
        with pytest.raises(InvalidActionError, match="colour"):
            await client.reset(colour="red")
        await client.reset(seed=1)
        with pytest.raises(InvalidActionError, match="by"):
            await client.step({"by": "many"})
        with pytest.raises(EnvironmentFailedError, match="below zero"):
            await client.step({"by": -1})
        assert (await client.step({"by": 10})).done
        with pytest.raises(NotResetError):
            await client.step({"by": 1})
        await client.reset()
        assert (await client.step({"by": 1})).observation["total"] == 1


def test_a_token_opens_the_door_and_nothing_else_does(
    live_server: Serve, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENENV_GYM_TOKEN", TOKEN)
    server = live_server(counter_app())
    for wrong in (None, "guess"):
        with pytest.raises(AuthenticationError, match="token="):
            GenericEnvClient(server.base_url, token=wrong, dialect=dialect).sync().reset()
        with pytest.raises(AuthenticationError, match="token="):
            fetch_schema(Endpoint(server.base_url, wrong), PATIENCE)
    with GenericEnvClient(server.base_url, token=TOKEN, dialect=dialect).sync() as client:
        client.reset()
    assert fetch_schema(Endpoint(server.base_url, TOKEN), PATIENCE)["action"]["properties"]["by"]


def test_a_full_server_refuses_and_its_slot_is_free_right_after_close(
    live_server: Serve, dialect: Dialect
) -> None:
    server = live_server(counter_app(max_concurrent_envs=1))
    for _ in range(5):
        with GenericEnvClient(server.base_url, dialect=dialect).sync() as first:
            first.reset()
            second = GenericEnvClient(server.base_url, dialect=dialect, connect_timeout_s=0.1).sync()
            with pytest.raises(CapacityError):
                second.reset()
            second.close()


def test_a_pool_waits_for_slots_and_keeps_lanes_apart(live_server: Serve, dialect: Dialect) -> None:
    server = live_server(counter_app(max_concurrent_envs=2))
    holder = GenericEnvClient(server.base_url, dialect=dialect).sync()
    holder.reset()
    with SessionPool([Endpoint(server.base_url)], 2, dialect=dialect) as pool:
        pool.submit([(lane, Request(Op.RESET, {"start": lane})) for lane in range(2)], PATIENCE)
        [(first, _)] = pool.collect(1, PATIENCE)
        holder.close()
        [(second, _)] = pool.collect(1, PATIENCE)
        assert {first, second} == {0, 1}
        pool.submit([(0, Request(Op.STEP, {"by": 5})), (1, Request(Op.STEP, {"by": -9}))], PATIENCE)
        results = dict(pool.collect(2, PATIENCE))
        assert isinstance(results[0], Outcome)
        assert results[0].observation["total"] == 5
        assert isinstance(results[1], EnvironmentFailedError)
    wait_until(lambda: Counter.open == 0)


def test_a_server_that_goes_away_is_told(live_server: Serve, dialect: Dialect) -> None:
    server = live_server(counter_app())
    with GenericEnvClient(server.base_url, dialect=dialect).sync() as client:
        client.reset()
        server.stop()
        with pytest.raises(SessionLostError):
            client.step({"by": 1})


def test_what_the_server_says_about_itself(counter: LiveServer) -> None:
    endpoint = Endpoint(counter.base_url)
    assert {"action", "observation", "state"} <= fetch_schema(endpoint, PATIENCE).keys()
    assert fetch_metadata(endpoint, PATIENCE)["name"]
    assert fetch_health(endpoint, PATIENCE)["status"] == "healthy"
