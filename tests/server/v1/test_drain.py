"""Shutting down: what runs may finish, nothing new begins, and everybody is told."""

from __future__ import annotations

import asyncio

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, Say, Sleeper
from tests.server.talk import active, wait_until_empty
from tests.server.v1.peer import echo_of, new_id, peer


def test_drain_lets_running_calls_finish_and_refuses_new_ones(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (running,) = client.open()
        sleeper = Sleeper.latest
        (idle,) = client.open()
        client.send((running, 2, "step", {"message": "sleep"}))
        assert sleeper.asleep.wait(30)
        drained = server.run(lambda: asyncio.ensure_future(server.app.state.sessions.drain(30.0)))
        assert client.reply("", 0).kind == "draining"
        late = new_id()
        client.send((late, 0, "open"), (idle, 2, "step", {"message": "more"}))
        for session, seq in ((late, 0), (idle, 2)):
            error = client.error(session, seq)
            assert (error.gone, error.reason) == (True, "draining")
            assert error.details["retry_after"] > 0
        sleeper.woken.set()
        assert echo_of(client.reply(running, 2)) == "sleep"
        assert client.error(running, 2).reason == "draining", "and then the session ends"
        assert active(server) == 0
        assert server.run(drained.done)


def test_drain_gives_up_on_calls_after_its_grace(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = Sleeper.latest
        client.send((session, 2, "step", {"message": "sleep"}))
        assert sleeper.asleep.wait(30)
        server.run(lambda: asyncio.ensure_future(server.app.state.sessions.drain(0.01)))
        assert client.error(session, 2).reason == "draining"
        sleeper.woken.set()
        wait_until_empty(server)
        with peer(server) as late:
            assert late.greeting.free == 8


def test_the_server_says_goodbye(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        server.stop()
        assert client.closing_code() == 1012
        assert session
