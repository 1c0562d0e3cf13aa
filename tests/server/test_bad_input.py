"""Bad input, misbehaving environments: each gets a clear error, the server and other sessions live on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import Heard, Parrot, Say, Sleeper, Sulking, Unspeakable
from tests.server.talk import Talk, get, http_of, talk, wait_until_empty
from tests.servers import LiveServer

SETTINGS = ServerSettings(max_frame_bytes=100_000)


@pytest.fixture(scope="module")
def parrot() -> Iterator[LiveServer]:
    server = LiveServer(create_app(Parrot, Say, Heard, settings=SETTINGS), ws_max_size=200_000).start()
    yield server
    server.stop()


@pytest.fixture
def bystander(parrot: LiveServer) -> Iterator[Talk]:
    """Another session, which must notice nothing; and nothing may be left when all is over."""
    with talk(parrot) as session:
        session.reset(episode_id="bystander")
        session.step("before")
        yield session
        assert session.step("after")["data"]["observation"]["echo"] == "after"
        assert session.ask({"type": "state"})["data"] == {"episode_id": "bystander", "step_count": 2}
    wait_until_empty(parrot)


STEP = {"type": "step", "data": {"message": "x"}}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "INVALID_JSON"),
        ("{", "INVALID_JSON"),
        ("{'type': 'reset'}", "INVALID_JSON"),
        ('{"type": "reset"} {"type": "reset"}', "INVALID_JSON"),
        ("[" * 50_000, "INVALID_JSON"),
        ('{"a":' * 15_000 + "1" + "}" * 15_000, "INVALID_JSON"),
        ('{"type": "step", "data": {"message": "\\ud800"}}', "INVALID_JSON"),
        ('{"type": "step", "data": {"message": 1e999}}', "INVALID_JSON"),
        (b'{"type": "reset"}', "INVALID_JSON"),
        ("null", "VALIDATION_ERROR"),
        ("[]", "VALIDATION_ERROR"),
        ('"reset"', "VALIDATION_ERROR"),
        ({}, "UNKNOWN_TYPE"),
        ({"type": "dance"}, "UNKNOWN_TYPE"),
        ({"type": None}, "UNKNOWN_TYPE"),
        ({"type": ["reset"]}, "UNKNOWN_TYPE"),
        ({"type": "step"}, "VALIDATION_ERROR"),
        ({"type": "step", "data": []}, "VALIDATION_ERROR"),
        ({"type": "step", "data": "x"}, "VALIDATION_ERROR"),
        ({"type": "step", "data": None}, "VALIDATION_ERROR"),
        ({"type": "step", "data": {}}, "VALIDATION_ERROR"),
        ({"type": "step", "data": {"message": 5}}, "VALIDATION_ERROR"),
        ({"type": "step", "data": {"message": "x", "volume": 11}}, "VALIDATION_ERROR"),
        ({**STEP, "id": 4}, "VALIDATION_ERROR"),
        ({"type": "reset", "data": {"colour": "red"}}, "VALIDATION_ERROR"),
        ({"type": "reset", "data": {"seed": "three"}}, "VALIDATION_ERROR"),
        ({"type": "reset", "data": {"greeting": {"no": "text"}}}, "VALIDATION_ERROR"),
        ({"type": "reset", "seed": 3}, "VALIDATION_ERROR"),
        ({"type": "state", "data": {}}, "VALIDATION_ERROR"),
        ({"type": "close", "now": True}, "VALIDATION_ERROR"),
    ],
)
def test_a_frame_that_makes_no_sense_is_answered_and_the_episode_goes_on(parrot, bystander, frame, code):
    with talk(parrot) as session:
        session.reset(episode_id="kept")
        session.step("x")
        error = session.error_of(frame)
        assert error["code"] == code
        if code == "VALIDATION_ERROR":
            assert error["errors"], "says what is wrong, as pydantic does"
        reset_refused = isinstance(frame, dict) and frame.get("type") == "reset" and "data" in frame
        if not reset_refused:  # a failed reset leaves no episode
            assert session.ask({"type": "state"})["data"] == {"episode_id": "kept", "step_count": 1}
            assert session.step("y")["type"] == "observation"
        session.assert_usable()


def test_an_unknown_reset_option_names_the_known_ones(parrot, bystander):
    with talk(parrot) as session:
        error = session.error_of({"type": "reset", "data": {"colour": "red"}})
        assert "colour" in error["message"]
        assert "greeting" in error["message"]


def test_step_before_reset(parrot, bystander):
    with talk(parrot) as session:
        error = session.error_of(STEP)
        assert (error["code"], error["reason"]) == ("SESSION_ERROR", "not_reset")
        session.assert_usable()


def test_step_after_the_end(parrot, bystander):
    with talk(parrot) as session:
        session.reset()
        assert session.step("end")["data"]["done"]
        error = session.error_of(STEP)
        assert (error["code"], error["reason"]) == ("SESSION_ERROR", "episode_over")
        session.assert_usable()


@pytest.mark.parametrize("text", ["x" * 99_990, "ü" * 60_000])
def test_a_frame_over_the_limit_is_answered_and_then_the_socket_closed(parrot, bystander, text):
    with talk(parrot) as session:
        session.reset()
        error = session.error_of('{"type": "step", "data": {"message": "' + text + '"}}')
        assert (error["reason"], error["max_frame_bytes"]) == ("too_large", 100_000)
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert caught.value.rcvd.code == 1009


def test_a_frame_far_over_the_limit_is_cut_off(parrot, bystander):
    with talk(parrot) as session:
        session.reset()
        with pytest.raises(ConnectionClosed) as caught:
            session.ask("x" * 1_000_000)
        assert caught.value.rcvd.code == 1009


def test_a_frame_at_the_limit_is_fine(parrot, bystander):
    frame = '{"type":"step","data":{"message":""}}'
    with talk(parrot) as session:
        session.reset()
        text = "x" * (SETTINGS.max_frame_bytes - len(frame))
        assert session.ask(frame.replace('""', f'"{text}"'))["data"]["reward"] == len(text)


def test_text_that_is_not_utf8_closes_that_socket_only(parrot, bystander):
    with talk(parrot) as session:
        session.reset()
        connection = session.connection
        payload = Frame(Opcode.TEXT, b'{"type": "\xff"}').serialize(mask=True)
        connection.socket.sendall(payload)
        with pytest.raises(ConnectionClosed) as caught:
            session.receive()
        assert caught.value.rcvd.code == 1007


@pytest.mark.parametrize("where", ["init", "reset", "step", "state", "close"])
def test_an_environment_that_raises(live_server, where):
    class Moody(Sulking):
        SULKS_IN = where

    server = live_server(create_app(Moody, Say, Heard))
    frames: dict[str, Any] = {"reset": {"type": "reset"}, "step": STEP, "state": {"type": "state"}}
    with talk(server) as session:
        if where == "init":
            error = session.receive()["data"]
            assert error["code"] == "FACTORY_ERROR"
        else:
            for name, frame in frames.items():
                if name != where:
                    continue
                if name != "reset":
                    session.reset()
                error = session.error_of(frame)
                assert error["code"] == "EXECUTION_ERROR"
        if where != "close":
            assert "LookupError" in error["message"]
            assert f"sulking in {where}" in error["message"]
        if where in ("step", "state"):
            Moody.SULKS_IN = ""
            session.assert_usable()
    wait_until_empty(server)
    assert get(server, "/health").json() == {"status": "healthy"}
    Moody.SULKS_IN = ""
    with talk(server) as session:
        session.assert_usable()


def test_an_environment_that_hangs_is_given_up_and_reported(live_server):
    settings = ServerSettings(step_timeout=0.3, close_timeout=0.1, max_runaways=1)
    server = live_server(create_app(Sleeper, Say, Heard, settings=settings))
    with talk(server) as other:
        other.reset()
        for hung in (1, 2):
            with talk(server) as session:
                session.reset()
                error = session.error_of({"type": "step", "data": {"message": "sleep"}})
                assert (error["code"], error["reason"]) == ("EXECUTION_ERROR", "deadline")
                with pytest.raises(ConnectionClosed):
                    session.receive()
            if hung == 1:
                first = Sleeper.latest
        health = get(server, "/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert other.step("still here")["type"] == "observation"
        first.woken.set()
        Sleeper.latest.woken.set()
        assert first.closed.wait(30)
    wait_until_empty(server)


def test_an_observation_that_json_cannot_carry(live_server):
    server = live_server(create_app(Unspeakable, Say, Heard))
    with talk(server) as session:
        session.reset()
        error = session.error_of({"type": "step", "data": {"message": "surrogate"}})
        assert error["code"] == "EXECUTION_ERROR"
        session.assert_usable()
    with http_of(server) as http:
        http.post("/reset")
        answer = http.post("/step", json={"action": {"message": "surrogate"}})
        assert (answer.status_code, answer.json()["code"]) == (500, "EXECUTION_ERROR")
        assert http.post("/step", json={"action": {"message": "fine"}}).status_code == 200
