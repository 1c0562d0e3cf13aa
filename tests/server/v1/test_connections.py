"""Connections come and go; sessions stay for their lease, with the newest connection that names them."""

from __future__ import annotations

import socket
import time

import pytest

from openenv_gym.server import ServerSettings, create_app
from openenv_gym.wire.v1.client_events import Gone, Greeted, Opened, Replied
from openenv_gym.wire.v1.client_machine import ClientMachine
from openenv_gym.wire.v1.codecs import MsgpackCodec
from tests.server.sample_environments import Heard, InlineParrot, Say, Sleeper
from tests.server.talk import active, wait_until, wait_until_empty
from tests.server.v1.peer import as_error, echo_of, peer


class Verbose(InlineParrot):
    """Says much more than it hears."""

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        return Heard(echo=action.message * 1_000_000)


def test_a_session_outlives_its_connection(parrot):
    with peer(parrot) as client:
        (session,) = client.open()
        last = client.step(session, 2, "before")
    with peer(parrot) as client:
        assert client.ask(session, 2, "resume").kind == "resumed"
        assert client.step(session, 2, "before") == last
        assert client.ask(session, 3, "state").payload["step_count"] == 1
        assert client.ask(session, 4, "close").kind == "closed"


def test_a_call_outlives_its_connection(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = Sleeper.latest
        client.send((session, 2, "step", {"message": "sleep"}))
        assert sleeper.asleep.wait(30)
    with peer(server) as client:
        client.send((session, 2, "step", {"message": "sleep"}))
        assert client.is_alive()
        sleeper.woken.set()
        assert echo_of(client.reply(session, 2)) == "sleep"
        assert client.ask(session, 3, "state").payload["step_count"] == 1


def test_the_newest_connection_takes_over(parrot):
    with peer(parrot) as first, peer(parrot) as second:
        (session,) = first.open()
        assert second.ask(session, 1, "resume").kind == "resumed"
        assert echo_of(second.step(session, 2, "mine")) == "mine"
        # What was on its way on the old connection counts, once; its answer goes to the new one.
        first.send((session, 3, "step", {"message": "on its way"}))
        assert echo_of(second.step(session, 3, "on its way")) == "on its way"
        assert first.is_alive()
        first.connection.close()
        assert second.ask(session, 4, "state").payload["step_count"] == 2
        assert second.ask(session, 5, "close").kind == "closed"


def test_a_lease_ends_and_frees_the_slot(live_server):
    server = live_server(create_app(InlineParrot, Say, Heard, settings=ServerSettings(lease=0.05)))
    with peer(server) as staying:
        (kept,) = staying.open()
        with peer(server) as client:
            (session,) = client.open()
            assert active(server) == 2
        wait_until(lambda: active(server) == 1)
        assert as_error(staying.step(session, 2, "late")).gone
        assert echo_of(staying.step(kept, 2, "a live connection has no lease")) != ""
        staying.ask(kept, 3, "close")


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff not msgpack",
        "a text frame",
        b"\x91\x93\xa5short\x00\xa4open",  # a session id of five characters
        b"\x90\x90",
    ],
)
def test_a_malformed_frame_closes_its_connection_only(parrot, frame):
    with peer(parrot) as client, peer(parrot) as other:
        (session,) = client.open()
        client.connection.send(frame)
        assert client.closing_code() == 1002
        assert other.is_alive()
        assert other.ask(session, 1, "resume").kind == "resumed"
        assert other.ask(session, 2, "close").kind == "closed"


def test_entries_before_a_bad_one_count(parrot):
    with peer(parrot) as client:
        (session,) = client.open()
        client.send((session, 2, "step", {"message": "good"}), ("short", 0, "open"))
        assert client.closing_code() == 1002
    with peer(parrot) as client:
        assert echo_of(client.step(session, 2, "good")) == "good"
        assert client.ask(session, 3, "state").payload["step_count"] == 1
        assert client.ask(session, 4, "close").kind == "closed"


@pytest.mark.parametrize("frame", [b"x" * 10_001, "\N{PARROT}" * 2_600])
def test_a_frame_beyond_the_limit_closes_its_connection(live_server, frame):
    settings = ServerSettings(max_frame_bytes=10_000)
    server = live_server(create_app(InlineParrot, Say, Heard, settings=settings))
    with peer(server) as client:
        client.connection.send(frame)
        assert client.closing_code() == 1009


def test_a_client_that_does_not_read_holds_up_nobody(live_server):
    server = live_server(create_app(Verbose, Say, Heard, settings=ServerSettings(lease=0.05)))
    with peer(server, close_timeout=0.1, max_size=None, max_queue=1) as lazy, peer(server) as other:
        sessions = lazy.open(6)
        # Far more than the buffers between the two hold, and all of it for a client that reads nothing.
        lazy.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(40):
            lazy.send(*((session, 2, "step", {"message": "abcdefgh"}) for session in sessions))
        for _ in range(300):
            lazy.send(*(("", 7, "ping", "x" * 100) for _ in range(20)))
        (session,) = other.open()
        assert other.step(session, 2, "x").kind == "outcome"
        assert other.ask(session, 3, "close").kind == "closed"
        lazy.connection.socket.close()
    wait_until_empty(server)


def test_the_clients_machine_gets_through_cut_connections(parrot):
    machine = ClientMachine(MsgpackCodec())
    answers = []
    session, steps = "", 0
    for _ in range(5):
        with peer(parrot) as client:
            machine.connected()
            entry = ("", 0, "greeting", _as_dict(client.greeting))
            machine.receive(time.monotonic(), client._codec.join([client._codec.encode(entry)]))
            if not session:
                assert isinstance(machine.take_events()[0], Greeted)
                session = machine.open(time.monotonic(), 30.0)
            elif steps:
                # Sent on the connection before, where nobody waited for the answer.
                answers += _exchange(machine, client)
            if not answers:
                _exchange(machine, client)
                machine.call(time.monotonic(), session, "reset", {})
                answers += _exchange(machine, client)
            steps += 1
            machine.call(time.monotonic(), session, "step", {"message": f"step {steps}"})
            while (frame := machine.next_frame()) is not None:
                client.connection.send(frame)
        machine.disconnected(time.monotonic())
    assert [answer.observation["echo"] for answer in answers] == [
        "hello",
        *(f"step {n}" for n in range(1, 5)),
    ]
    with peer(parrot) as client:
        assert client.ask(session, 7, "close").kind == "closed"


def _as_dict(greeting):
    return {name: getattr(greeting, name) for name in greeting.__struct_fields__}


def _exchange(machine, client):
    """Send what the machine has to send, and read until something happened to the session."""
    while (frame := machine.next_frame()) is not None:
        client.connection.send(frame)
    while True:
        machine.receive(time.monotonic(), client.connection.recv(timeout=30))
        events = [event for event in machine.take_events() if not isinstance(event, Greeted)]
        if events:
            assert not any(isinstance(event, Gone) for event in events)
            assert all(isinstance(event, Opened | Replied) for event in events)
            return [event.answer for event in events if isinstance(event, Replied)]
