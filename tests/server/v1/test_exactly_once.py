"""Requests that come twice, out of order, or after the end."""

from __future__ import annotations

import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, Say, Sleeper
from tests.server.v1.peer import Peer, as_error, echo_of, new_id, peer


@pytest.fixture
def client(parrot):
    with peer(parrot) as client:
        yield client


def steps_of(client: Peer, session: str, seq: int) -> int:
    return int(client.ask(session, seq, "state").payload["step_count"])


def test_a_repeated_request_is_answered_again_and_not_run_again(client):
    (session,) = client.open()
    first = client.step(session, 2, "once")
    assert client.step(session, 2, "once") == first
    assert steps_of(client, session, 3) == 1
    assert client.ask(session, 4, "close").kind == "closed"
    assert client.ask(session, 4, "close").kind == "closed"


def test_a_repeated_open_is_the_same_session(client, parrot):
    session = new_id()
    assert client.ask(session, 0, "open").kind == "opened"
    assert client.ask(session, 0, "open").kind == "opened"
    assert parrot.run(lambda: parrot.app.state.sessions.active) == 1
    assert client.ask(session, 1, "close").kind == "closed"


def test_a_repeat_joins_the_running_call(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = Sleeper.latest
        request = (session, 2, "step", {"message": "sleep"})
        client.send(request)
        assert sleeper.asleep.wait(30)
        client.send(request)
        assert client.is_alive()
        sleeper.woken.set()
        assert echo_of(client.reply(session, 2)) == "sleep"
        assert steps_of(client, session, 3) == 1


def test_a_gap_is_an_error_that_changes_nothing(client):
    (session,) = client.open()
    error = as_error(client.step(session, 5, "too early"))
    assert (error.gone, error.code) == (False, "VALIDATION_ERROR")
    assert echo_of(client.step(session, 2, "in turn")) == "in turn"
    assert client.ask(session, 3, "close").kind == "closed"


def test_a_closed_session_stays_closed(client):
    (session,) = client.open()
    assert client.ask(session, 2, "close").kind == "closed"
    assert as_error(client.step(session, 3, "hello?")).reason == "closed"
    assert as_error(client.ask(session, 0, "open")).gone
    assert as_error(client.step(new_id(), 2, "never opened")).gone


def test_close_overtakes_a_running_call(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = Sleeper.latest
        client.send((session, 2, "step", {"message": "sleep"}))
        assert sleeper.asleep.wait(30)
        client.send((session, 3, "close"))
        assert client.is_alive()
        sleeper.woken.set()
        (entry,) = client.frame()
        assert (entry.seq, entry.kind) == (3, "closed"), "the call's own answer is not sent any more"
