"""`EnvClient` and `SyncEnvClient` against a server on loopback: both faces, typed and generic."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from openenv_gym.client.env_client import EnvClient
from openenv_gym.client.generic_client import GenericAction, GenericEnvClient
from openenv_gym.client.sync_client import SyncEnvClient
from openenv_gym.errors import (
    CapacityError,
    ClosedError,
    ConcurrentCallError,
    InvalidActionError,
    ProtocolError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
    UsageError,
)
from openenv_gym.models import Action, Observation, State, StepResult
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op
from tests.client.dialect_server import DialectServer, serving
from tests.client.patience import wait_until


class Say(Action):
    say: str = ""
    do: str | None = None


class Said(Observation):
    said: str
    steps: int


class Progress(State):
    pass


class Client(EnvClient[Say, Said, Progress]):
    """A typed client as users write it."""


async def test_a_typed_episode(url: str, server: DialectServer) -> None:
    async with Client(base_url=url) as client:
        result = await client.reset(seed=7, task="easy")
        assert result.observation == Said(said="", steps=0)
        result = await client.step(Say(say="日本語"))
        assert isinstance(result.observation, Said)
        assert result.observation.said == "日本語"
        assert (result.reward, result.done, result.metadata) == (3.0, False, {"nth": 1})
        assert (result.observation.reward, result.observation.metadata) == (3.0, {"nth": 1})
        state = await client.state()
        assert isinstance(state, Progress)
        assert (state.episode_id, state.step_count) == ("e", 1)
        result = await client.step(Say(do="end"))
        assert (result.done, result.terminated, result.truncated) == (True, True, False)
        result = await client.step(Say(do="limit"))
        assert (result.done, result.terminated, result.truncated) == (True, False, True)
        assert result.observation.done
        assert result.observation.truncated
    assert server.heard[0].payload == {"seed": 7, "task": "easy"}
    assert server.live == 0


def test_the_same_without_async(url: str, server: DialectServer) -> None:
    with Client(base_url=url).sync() as client:
        assert isinstance(client, SyncEnvClient)
        assert client.reset(seed=7).observation.steps == 0
        assert client.step(Say(say="abc")).reward == 3.0
        assert client.state().step_count == 1
    assert server.live == 0
    client.close()


def test_a_generic_client_speaks_dicts(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as client:
        assert client.reset().observation["steps"] == 0
        assert client.step({"say": "dict"}).observation["said"] == "dict"
        assert client.step(GenericAction(say="generic")).observation["said"] == "generic"
        assert client.step(Say(say="model")).observation["said"] == "model"  # type: ignore[arg-type]
        assert client.state()["step_count"] == 3
    assert repr(GenericAction(say="x", n=1)) == "GenericAction(say='x', n=1)"


@pytest.mark.parametrize("form", ["{}", "{}/", "ws://{bare}", "{bare}", "http://{bare}//"])
def test_a_server_by_any_form_of_its_address(url: str, form: str) -> None:
    with Client(form.format(url, bare=url.removeprefix("http://"))).sync() as client:
        assert client.base_url == url
        client.reset()


def test_the_first_call_connects(url: str) -> None:
    client = Client(url).sync()
    assert client.reset().observation.steps == 0
    client.close()


async def test_both_faces_are_one_session(url: str) -> None:
    async with Client(url) as client:
        await client.reset()
        await client.step(Say(say="one"))
        # Blocks this loop for a moment, which is its user's choice; the session is not on this loop.
        assert client.sync().step(Say(say="two")).observation.steps == 2
        assert client.sync().async_client is client


# --- models --------------------------------------------------------------------------------------------


async def test_models_by_class_attributes(url: str) -> None:
    class Plain(EnvClient[Any, Any, Any]):
        action_type = Say
        observation_type = Said
        state_type = Progress

    class Child(Plain):
        pass

    for kind in (Plain, Child):
        async with kind(url) as client:
            assert isinstance((await client.reset()).observation, Said)
            assert isinstance(await client.state(), Progress)


async def test_a_client_as_openenv_writes_them(url: str) -> None:
    @dataclass
    class Heard:
        text: str

    class Upstream(EnvClient[Say, Heard, State]):
        def _step_payload(self, action: Say) -> dict[str, Any]:
            return {"say": action.say.upper()}

        def _parse_result(self, payload: dict[str, Any]) -> StepResult[Heard]:
            observation = payload.get("observation", {})
            return StepResult(
                observation=Heard(observation.get("said", "")),
                reward=payload.get("reward"),
                done=payload.get("done", False),
            )

        def _parse_state(self, payload: dict[str, Any]) -> State:
            return State(episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0))

    async with Upstream(base_url=url) as client:
        await client.reset()
        assert (await client.step(Say(say="loud"))).observation == Heard("LOUD")
        assert (await client.state()).step_count == 1
    with Upstream(base_url=url).sync() as sync:
        assert sync.step(Say(say="loud")).observation == Heard("LOUD")


def test_an_action_of_another_kind_is_refused_unsent(url: str, server: DialectServer) -> None:
    with Client(url).sync() as client:
        client.reset()
        for wrong in ("text", 3, None, Progress()):
            with pytest.raises(InvalidActionError, match="Say"):
                client.step(wrong)  # type: ignore[arg-type]
        assert client.step({"say": "a dict will do"}).reward == 14.0  # type: ignore[arg-type]
    assert [request.op for request in server.heard] == [Op.RESET, Op.STEP, Op.CLOSE]


def test_a_reply_that_does_not_fit_the_model_is_an_error_and_the_session_goes_on(url: str) -> None:
    class Other(Observation):
        colour: str

    class OtherClient(EnvClient[Say, Other, State]):
        pass

    with OtherClient(url).sync() as client:
        with pytest.raises(ProtocolError, match=r"no Other \(colour: Field required"):
            client.reset()
        client.state()


# --- faults --------------------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    with serving(DialectServer()) as url:
        pass
    client = Client(url, token="s3cret", headers={"X-Key": "k3y"})
    for attempt in (client.sync().connect, client.sync().reset, lambda: asyncio.run(client.connect())):
        with pytest.raises(ServerUnreachableError, match=url) as refused:
            attempt()
        assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(client) + repr(client.sync()) + repr(client._link.endpoint)
    assert "k3y" not in repr(client)
    asyncio.run(client.close())


def test_a_full_server_is_an_error_at_once(url: str, server: DialectServer) -> None:
    server.capacity = 1
    with Client(url).sync() as first:
        first.reset()
        second = Client(url).sync()
        with pytest.raises(CapacityError):
            second.reset()
        first.close()
        second.reset()
        second.close()


@pytest.mark.parametrize("order", ["cut", "hang"])
def test_a_lost_episode_is_said_until_reset(url: str, server: DialectServer, order: str) -> None:
    with Client(url, message_timeout_s=0.2).sync() as client:
        client.reset()
        client.step(Say(say="x"))
        with pytest.raises(SessionLostError) as lost:
            client.step(Say(do=order))
        assert isinstance(lost.value, StepTimeoutError) == (order == "hang")
        for _ in range(2):
            with pytest.raises(SessionLostError, match=r"reset\(\)"):
                client.step(Say(say="y"))
        assert client.reset().observation.steps == 0
        assert client.step(Say(say="z")).observation.steps == 1


def test_a_calls_own_timeout(url: str) -> None:
    with Client(url).sync() as client:
        client.reset()
        with pytest.raises(StepTimeoutError, match=r"0\.05 s"):
            client.step(Say(do="hang"), timeout=0.05)


async def test_concurrent_calls_are_refused(url: str) -> None:
    async with Client(url) as client:
        await client.reset()
        results = await asyncio.gather(
            *(client.step(Say(say=str(number))) for number in range(3)), return_exceptions=True
        )
        assert isinstance(results[0], StepResult)
        assert [type(result) for result in results[1:]] == [ConcurrentCallError] * 2
        assert (await client.step(Say(say="next"))).observation.steps == 2


async def test_a_cancelled_call_frees_the_slot(url: str, server: DialectServer) -> None:
    async with Client(url) as client:
        await client.reset()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.step(Say(do="hang")), 0.05)
        await asyncio.to_thread(wait_until, lambda: server.live == 0)
        with pytest.raises(SessionLostError, match="cancelled"):
            await client.step(Say(say="x"))
        await client.reset()


def test_a_blocked_call_ends_when_another_thread_disconnects(url: str, server: DialectServer) -> None:
    with Client(url).sync() as client:
        client.reset()
        failed: list[BaseException] = []

        def blocked() -> None:
            try:
                client.step(Say(do="hang"))
            except SessionLostError as error:
                failed.append(error)

        thread = threading.Thread(target=blocked)
        thread.start()
        wait_until(lambda: server.heard[-1].payload.get("do") == "hang")
        client.disconnect()
        thread.join(30)
        assert len(failed) == 1
        client.reset()


def test_a_refusal_at_the_door_names_its_reason(url: str, server: DialectServer) -> None:
    server.refusal = ErrorReply(ErrorCode.FACTORY_ERROR, "the environment cannot be made: no disk")
    with Client(url).sync() as client, pytest.raises(Exception, match="no disk"):
        client.reset()


# --- life cycle ----------------------------------------------------------------------------------------


async def test_after_close_nothing_works_and_close_still_does(url: str) -> None:
    client = Client(url)
    await client.connect()
    await client.close()
    await client.close()
    for call in (client.reset(), client.step(Say(say="x")), client.state(), client.connect()):
        with pytest.raises(ClosedError):
            await call


def test_closing_what_never_connected(url: str) -> None:
    client = Client(url).sync()
    client.close()
    with pytest.raises(ClosedError):
        client.reset()


async def test_disconnect_and_come_back(url: str) -> None:
    async with Client(url) as client:
        await client.reset()
        await client.disconnect()
        with pytest.raises(SessionLostError, match="disconnect"):
            await client.step(Say(say="x"))
        await client.connect()
        await client.reset()
        assert (await client.step(Say(say="x"))).observation.steps == 1


async def test_more_sessions_at_the_same_server(url: str, server: DialectServer) -> None:
    async with Client(url) as client:
        await client.reset()
        children = [await client.new_session() for _ in range(3)]
        assert all(type(child) is Client for child in children)
        await asyncio.gather(*(child.reset() for child in children))
        steps = await asyncio.gather(*(child.step(Say(say="x")) for child in [client, *children]))
        assert [result.observation.steps for result in steps] == [1, 1, 1, 1]
        await children[0].close()
        assert server.live == 3
    assert server.live == 0


def test_more_sessions_without_async(url: str, server: DialectServer) -> None:
    with Client(url).sync() as client:
        with client.new_session() as child:
            child.reset()
            assert child.step(Say(say="x")).observation.steps == 1
        client.new_session().reset()
    assert server.live == 0


async def test_clients_in_several_loops(url: str) -> None:
    client = Client(url)

    def elsewhere() -> int:
        async def episode() -> int:
            await client.reset()
            return (await client.step(Say(say="x"))).observation.steps

        return asyncio.run(episode())

    assert await asyncio.to_thread(elsewhere) == 1
    assert (await client.step(Say(say="y"))).observation.steps == 2
    assert await asyncio.to_thread(elsewhere) == 1
    await client.close()


@pytest.mark.parametrize("blocking", [False, True])
def test_an_unclosed_client_is_reported_and_frees_its_slot(
    url: str, server: DialectServer, blocking: bool
) -> None:
    client = Client(url)
    (client.sync().reset() if blocking else asyncio.run(client.reset()))
    with pytest.warns(ResourceWarning, match="unclosed Client"):
        del client
        gc.collect()
    wait_until(lambda: server.live == 0)


def test_a_client_that_was_never_used_is_dropped_in_silence(url: str) -> None:
    client = Client(url)
    del client
    gc.collect()


def test_with_needs_sync() -> None:
    with pytest.raises(UsageError, match=r"async with.*\.sync\(\)"), Client("localhost:1"):
        pass


def test_a_client_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="base_url"):
        Client()
    with pytest.raises(UsageError):
        Client("ftp://example.org")
