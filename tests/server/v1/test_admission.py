"""One capacity for every transport, and the queue for it."""

from __future__ import annotations

import time

from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import Heard, InlineParrot, Say, Solitary
from tests.server.talk import active, post, talk, wait_until_empty
from tests.server.v1.peer import as_error, new_id, peer


def test_an_open_waits_for_a_slot(live_server):
    server = live_server(create_app(Solitary, Say, Heard))
    with peer(server) as client, peer(server) as other:
        (first,) = client.open()
        second = new_id()
        other.send((second, 0, "open"))
        assert other.is_alive()
        assert client.ask(first, 2, "close").kind == "closed"
        assert other.reply(second, 0).kind == "opened"
        assert other.ask(second, 1, "reset").kind == "outcome"
        assert other.ask(second, 2, "close").kind == "closed"
    wait_until_empty(server)


def test_an_open_that_waited_long_enough_is_told_when_to_try_again(live_server):
    server = live_server(create_app(Solitary, Say, Heard))
    with peer(server) as client:
        client.open()
        error = as_error(client.ask(new_id(), 0, "open", None, 0.05))
        assert (error.gone, error.code, error.details["max_sessions"]) == (True, "CAPACITY_REACHED", 1)
        assert error.details["retry_after"] > 0


class Tardy(Solitary):
    def __init__(self) -> None:
        super().__init__()
        time.sleep(0.2)


def test_an_opens_timeout_is_for_the_slot_and_not_for_the_environment(live_server):
    server = live_server(create_app(Tardy, Say, Heard))
    with peer(server) as client:
        assert client.ask(new_id(), 0, "open", None, 0.05).kind == "opened"


def test_the_queue_is_bounded(live_server):
    settings = ServerSettings(queue_size=2)
    server = live_server(create_app(Solitary, Say, Heard, settings=settings))
    with peer(server) as client:
        client.open()
        waiting = [new_id(), new_id(), new_id()]
        client.send(*((session, 0, "open") for session in waiting))
        assert client.error(waiting[2], 0).code == "CAPACITY_REACHED"


def test_who_waits_leaves_with_its_connection(live_server):
    server = live_server(create_app(Solitary, Say, Heard))
    with peer(server) as client:
        (first,) = client.open()
        with peer(server) as other:
            left = new_id()
            other.send((left, 0, "open"))
            assert other.is_alive()
        assert client.ask(first, 2, "close").kind == "closed"
        assert as_error(client.step(left, 1, "x")).gone
        client.open()


def test_an_open_waits_for_other_transports_too(live_server):
    server = live_server(create_app(Solitary, Say, Heard))
    with peer(server) as client:
        session = new_id()
        with talk(server) as other:
            other.reset()
            client.send((session, 0, "open"))
            assert client.is_alive()
            assert active(server) == 1
        assert client.reply(session, 0).kind == "opened"
        assert client.ask(session, 1, "close").kind == "closed"


def test_other_transports_find_the_slots_taken(live_server):
    server = live_server(create_app(InlineParrot, Say, Heard, max_concurrent_envs=2))
    with peer(server) as client:
        client.open(2)
        with talk(server) as other:
            assert other.receive()["data"]["code"] == "CAPACITY_REACHED"
        assert post(server, "/reset").status_code == 503
        assert server.run(lambda: server.app.state.sessions.status().active_sessions) == 2


def test_a_multiplexed_session_belongs_to_its_dialect(live_server):
    server = live_server(create_app(InlineParrot, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        info = server.run(lambda: server.app.state.sessions.info(session))
        assert info is not None and info.session_id == session
        step = post(server, "/step", json={"action": {"message": "hi"}}, headers={"X-Session-Id": session})
        assert step.status_code == 404
        with talk(server, f"?session_id={session}") as other:
            assert other.receive()["data"]["code"] == "SESSION_ERROR"
        assert client.step(session, 2, "x").kind == "outcome"
