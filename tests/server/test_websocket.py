"""``/ws`` on a real server: the dialect, attachment, capacity, and what ends a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import (
    AsyncParrot,
    Heard,
    InlineParrot,
    Parrot,
    ProcessParrot,
    Say,
    Sleeper,
    Solitary,
)
from tests.server.talk import Talk, active, get, http_of, talk, wait_until, wait_until_empty
from tests.servers import LiveServer


@pytest.fixture(scope="module")
def parrot() -> Iterator[LiveServer]:
    server = LiveServer(create_app(Parrot, Say, Heard)).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_slot_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "parrot" in request.fixturenames:
        wait_until_empty(request.getfixturevalue("parrot"))


def closing_code(session: Talk) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        session.connection.recv(timeout=30)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def test_an_episode(parrot):
    with talk(parrot) as session:
        first = session.reset(seed=3, episode_id="e1", greeting="hi")
        assert first["type"] == "observation"
        assert first["data"]["observation"]["echo"] == "hi"
        assert (first["data"]["reward"], first["data"]["done"]) == (None, False)
        second = session.step("Grüße \U0001f99c")
        assert second["data"]["observation"]["echo"] == "Grüße \U0001f99c"
        assert second["data"]["reward"] == 7.0
        state = session.ask({"type": "state"})
        assert state == {"type": "state", "data": {"episode_id": "e1", "step_count": 1}}
        assert session.step("end")["data"]["done"] is True
        session.send({"type": "close"})
        assert closing_code(session) == 1000
        assert active(parrot) == 0, "the slot is free before the close handshake"


@pytest.mark.parametrize("env", [InlineParrot, AsyncParrot, Parrot, ProcessParrot])
def test_the_dialect_is_the_same_wherever_the_environment_runs(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with talk(server) as session:
        assert session.error_of({"type": "step", "data": {"message": "x"}})["reason"] == "not_reset"
        assert session.reset(episode_id="e1")["data"]["observation"]["echo"] == "hello"
        assert session.error_of({"type": "step", "data": {"volume": 11}})["code"] == "VALIDATION_ERROR"
        assert session.step("x")["data"]["reward"] == 1.0
        assert session.ask({"type": "state"})["data"] == {"episode_id": "e1", "step_count": 1}
    wait_until_empty(server)


def test_a_worker_that_dies_ends_its_session_only(live_server):
    server = live_server(create_app(ProcessParrot, Say, Heard))
    with talk(server) as other, talk(server) as session:
        other.reset()
        session.reset()
        error = session.error_of({"type": "step", "data": {"message": "die"}})
        assert (error["code"], error["reason"]) == ("EXECUTION_ERROR", "crashed")
        assert closing_code(session) == 1011
        assert other.step("x")["type"] == "observation"
        wait_until(lambda: active(server) == 1)
    wait_until_empty(server)


def test_each_socket_has_its_own_environment(parrot):
    with talk(parrot) as first, talk(parrot) as second:
        first.reset(episode_id="one")
        second.reset(episode_id="two")
        first.step("x")
        assert first.ask({"type": "state"})["data"] == {"episode_id": "one", "step_count": 1}
        assert second.ask({"type": "state"})["data"] == {"episode_id": "two", "step_count": 0}


@pytest.mark.parametrize("env", [InlineParrot, Parrot])
def test_pipelined_frames_are_answered_in_order(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with talk(server) as session:
        session.reset()
        for number in range(50):
            session.send({"type": "step", "data": {"message": str(number)}})
        assert [session.receive()["data"]["observation"]["echo"] for _ in range(50)] == [
            str(number) for number in range(50)
        ]


@pytest.mark.parametrize("env", [InlineParrot, Parrot])
def test_a_client_that_leaves_without_a_word_frees_its_slot(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with talk(server) as session:
        session.reset()
        session.connection.socket.close()
        wait_until_empty(server)


def test_beyond_capacity_the_refusal_has_upstreams_form(live_server):
    server = live_server(create_app(Solitary, Say, Heard))
    with talk(server) as holder:
        with talk(server) as refused:
            error = refused.receive()
            assert error["type"] == "error"
            assert error["data"]["code"] == "CAPACITY_REACHED"
            assert (error["data"]["active_sessions"], error["data"]["max_sessions"]) == (1, 1)
            assert closing_code(refused) == 1013
        holder.assert_usable()


def test_a_slot_is_reused_at_once_and_never_twice(live_server):
    """Solitary itself asserts that no two instances live at once."""
    server = live_server(create_app(Solitary, Say, Heard))
    for _ in range(20):
        with talk(server) as session:
            session.assert_usable()
    wait_until_empty(server)


def test_a_client_that_leaves_in_mid_step_frees_its_slot(live_server):
    server = live_server(create_app(Sleeper, Say, Heard, max_concurrent_envs=1))
    with talk(server) as session:
        session.reset()
        session.send({"type": "step", "data": {"message": "sleep"}})
        sleeper = Sleeper.latest
        assert sleeper.asleep.wait(30)
        session.connection.socket.close()  # no closing handshake: the client's machine is gone
    table = server.app.state.sessions
    wait_until(lambda: server.run(lambda: any(s.closing for s in table._register)))
    sleeper.woken.set()
    wait_until_empty(server)
    assert sleeper.closed.is_set()
    with talk(server) as session:
        session.assert_usable()


def test_a_step_that_never_ends_holds_its_slot_only_so_long(live_server):
    settings = ServerSettings(close_timeout=0.1)
    server = live_server(create_app(Sleeper, Say, Heard, max_concurrent_envs=1, settings=settings))
    with talk(server) as session:
        session.reset()
        session.send({"type": "step", "data": {"message": "sleep"}})
        sleeper = Sleeper.latest
        assert sleeper.asleep.wait(30)
    wait_until_empty(server)
    with talk(server) as session:
        session.assert_usable()
    sleeper.woken.set()
    assert sleeper.closed.wait(30), "closed after all, when the step returned"


def test_attaching_to_an_http_session(parrot):
    with http_of(parrot) as http:
        session_id = http.post("/reset", json={"episode_id": "shared"}).headers["X-Session-Id"]
        with talk(parrot, f"?session_id={session_id}") as attached:
            assert attached.step("over the socket")["data"]["observation"]["echo"] == "over the socket"
            with talk(parrot, f"?session_id={session_id}") as second:
                error = second.receive()["data"]
                assert error["code"] == "SESSION_ERROR"
                assert "attached" in error["message"]
        state = http.get("/state").json()
        assert state == {"episode_id": "shared", "step_count": 1}, "it outlives the attachment"
        with talk(parrot, f"?session_id={session_id}") as again:
            again.send({"type": "close"})
            assert closing_code(again) == 1000
        assert http.get("/state").status_code == 200
        close = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "openenv/session/close",
            "params": {"session_id": session_id},
        }
        assert http.post("/mcp", json=close).json()["result"]["closed"] is True


def test_attaching_to_an_unknown_session_is_an_error_and_then_a_close(parrot):
    with talk(parrot, "?session_id=guessed") as session:
        error = session.receive()["data"]
        assert error["code"] == "SESSION_ERROR"
        assert "Unknown session_id" in error["message"]
        assert closing_code(session) == 1011


def test_closing_an_attached_session_takes_effect_when_the_socket_lets_go(parrot):
    with http_of(parrot) as http:
        session_id = http.post("/reset").headers["X-Session-Id"]
        with talk(parrot, f"?session_id={session_id}") as attached:
            close = {
                "jsonrpc": "2.0",
                "id": "c",
                "method": "openenv/session/close",
                "params": {"session_id": session_id},
            }
            expected = {"session_id": session_id, "closed": False, "closing": True}
            assert http.post("/mcp", json=close).json()["result"] == expected
            attached.assert_usable()
        wait_until_empty(parrot)


def test_a_token_is_asked_for_before_the_handshake(live_server):
    server = live_server(create_app(Parrot, Say, Heard, settings=ServerSettings(token="s3cret")))
    with pytest.raises(InvalidStatus) as caught, talk(server):
        pass
    assert caught.value.response.status_code == 401
    with talk(server, additional_headers={"Authorization": "Bearer s3cret"}) as session:
        session.assert_usable()
    assert get(server, "/health").status_code == 200
    assert get(server, "/schema").status_code == 401


def test_a_page_of_another_site_is_refused(parrot):
    with pytest.raises(InvalidStatus) as caught, talk(parrot, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403
    with talk(parrot, origin=parrot.base_url) as session:
        session.assert_usable()


def test_a_subprotocol_nobody_speaks_here_is_not_agreed_on(parrot):
    with talk(parrot, subprotocols=["something.v9"]) as session:
        assert session.connection.subprotocol is None
        session.assert_usable()
