"""Calls on many sessions at once: batches, shared frames, slow neighbours, every execution, every op."""

from __future__ import annotations

import numpy as np
import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import (
    AsyncParrot,
    Heard,
    InlineParrot,
    Parrot,
    ProcessParrot,
    Say,
    Sleeper,
    Unspeakable,
)
from tests.server.talk import active, talk
from tests.server.v1.environments import Painter, ProcessPainter, Seen
from tests.server.v1.peer import as_error, echo_of, peer


def test_a_batch_is_answered_in_one_frame(parrot, monkeypatch):
    monkeypatch.setattr("openenv_gym.server.multiplexer._SLICE", 60.0)
    with peer(parrot) as client:
        sessions = client.open(8)
        client.send(*((session, 2, "step", {"message": session}) for session in sessions))
        frame = client.frame()
        assert [(entry.session, entry.seq, echo_of(entry)) for entry in frame] == [
            (session, 2, session) for session in sessions
        ]
        client.send(*((session, 3, "close") for session in sessions))
        assert {client.reply(session, 3).kind for session in sessions} == {"closed"}


def test_a_long_batch_takes_several_turns_of_the_loop(parrot, monkeypatch):
    monkeypatch.setattr("openenv_gym.server.multiplexer._SLICE", 0.0)
    with peer(parrot) as client:
        sessions = client.open(8)
        client.send(*((session, 2, "step", {"message": session}) for session in sessions))
        assert len(client.frame()) < 8
        client.send(*((session, 3, "close") for session in sessions))
        for session in sessions:
            assert client.reply(session, 3).kind == "closed"


def test_a_slow_session_delays_nobody(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (slow,) = client.open()
        sleeper = Sleeper.latest
        (quick,) = client.open()
        client.send((slow, 2, "step", {"message": "sleep"}), (quick, 2, "step", {"message": "a"}))
        assert echo_of(client.reply(quick, 2)) == "a"
        assert echo_of(client.step(quick, 3, "b")) == "b"
        sleeper.woken.set()
        assert echo_of(client.reply(slow, 2)) == "sleep"


@pytest.mark.parametrize("env", [InlineParrot, AsyncParrot, Parrot, ProcessParrot])
def test_the_dialect_is_the_same_wherever_the_environment_runs(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with peer(server) as client:
        first, second = client.open(2)
        client.send((first, 2, "step", {"message": "one"}), (second, 2, "step", {"volume": 11}))
        assert echo_of(client.reply(first, 2)) == "one"
        error = client.error(second, 2)
        assert (error.gone, error.code) == (False, "VALIDATION_ERROR")
        assert client.step(first, 3, "end").payload[1:] == [3.0, True, False]
        assert as_error(client.step(first, 4, "more")).reason == "episode_over"
        assert client.ask(first, 5, "reset", {"episode_id": "e2"}).kind == "outcome"
        assert client.ask(first, 6, "state").payload == {"episode_id": "e2", "step_count": 0}
        error = as_error(client.ask(first, 7, "reset", {"difficulty": 3}))
        assert "does not take difficulty" in error.message
        assert active(server) == 2
        client.send((first, 8, "close"), (second, 3, "close"))
        assert client.reply(first, 8).kind == client.reply(second, 3).kind == "closed"
        assert active(server) == 0, "the slots are free when the client hears of it"


def test_mcp_calls_and_unknown_ops(parrot):
    with peer(parrot) as client:
        (session,) = client.open()
        call = {"jsonrpc": "2.0", "id": 5, "method": "tools/list"}
        reply = client.ask(session, 2, "mcp", call)
        assert (reply.kind, reply.payload["error"]["code"]) == ("mcp", -32601)
        assert as_error(client.ask(session, 3, "dance")).code == "UNKNOWN_TYPE"
        assert as_error(client.ask(session, 4, "snapshot")).code == "UNKNOWN_TYPE"
        assert client.ask(session, 5, "close").kind == "closed"


@pytest.mark.parametrize("env", [Painter, ProcessPainter])
def test_arrays_and_bytes_travel_as_they_are(live_server, env):
    server = live_server(create_app(env, Say, Seen))
    with peer(server) as client:
        (session,) = client.open()
        observation, *rest = client.step(session, 2, "paint").payload
        assert observation["picture"].dtype == np.uint8
        np.testing.assert_array_equal(observation["picture"], np.arange(12).reshape(2, 2, 3))
        assert observation["raw"] == b"\x00\xff"
        assert rest == [None, False, False, {"a": 1}]
        assert client.step(session, 3, "cut").payload[2:4] == [False, True], "terminated and truncated apart"
    with talk(server) as session:
        session.reset()
        assert session.step("paint")["data"]["observation"]["picture"] == [
            [[0, 1, 2], [3, 4, 5]],
            [[6, 7, 8], [9, 10, 11]],
        ]


def test_a_reply_that_cannot_be_sent_is_an_error_of_its_call_only(live_server):
    server = live_server(create_app(Unspeakable, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        error = as_error(client.step(session, 2, "surrogate"))
        assert (error.gone, error.code) == (False, "EXECUTION_ERROR")
        assert echo_of(client.step(session, 3, "fine")) == "fine"


def test_logs_do_not_tell_session_ids(live_server, caplog):
    caplog.set_level("DEBUG")
    server = live_server(create_app(InlineParrot, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        client.ask(session, 2, "close")
    assert "opened over openenv-gym.v1" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("openenv_gym")]
    assert session not in "\n".join(ours)
