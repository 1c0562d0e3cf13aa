"""Which dialect a connection gets, and what the server says first."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from openenv_gym.server import ServerSettings, create_app
from openenv_gym.wire.v1.codecs import SUBPROTOCOLS
from tests.server.sample_environments import Heard, InlineParrot, Say
from tests.server.talk import talk
from tests.server.v1.peer import Peer, echo_of, peer


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_an_episode_in_either_encoding(parrot, subprotocol):
    with peer(parrot, subprotocol) as client:
        assert client.connection.subprotocol == subprotocol
        (session,) = client.open()
        outcome = client.step(session, 2, "Grüße \U0001f99c")
        assert echo_of(outcome) == "Grüße \U0001f99c"
        assert outcome.payload[1:] == [7.0]
        assert client.ask(session, 3, "state").payload["step_count"] == 1
        assert client.ask(session, 4, "close").kind == "closed"


def test_msgpack_is_preferred(parrot):
    with connect(parrot.ws_url, subprotocols=list(reversed(SUBPROTOCOLS)), proxy=None) as connection:
        assert connection.subprotocol == "openenv-gym.v1+msgpack"
        Peer(connection)


@pytest.mark.parametrize("offered", [None, ["graphql-ws"]])
def test_everybody_else_speaks_the_openenv_dialect(parrot, offered):
    with talk(parrot, subprotocols=offered) as session:
        assert session.connection.subprotocol is None
        session.assert_usable()


def test_the_greeting_tells_the_terms(live_server):
    settings = ServerSettings(lease=7.0, step_timeout=11.0, open_timeout=13.0, max_frame_bytes=123_456)
    server = live_server(create_app(InlineParrot, Say, Heard, settings=settings))
    with peer(server) as client, peer(server) as other:
        greeting = client.greeting
        assert (greeting.protocol, greeting.capacity, greeting.free) == (1, 8, 8)
        assert (greeting.lease, greeting.step_timeout, greeting.open_timeout) == (7.0, 11.0, 13.0)
        assert greeting.max_frame_bytes == 123_456
        assert (greeting.features, greeting.siblings) == ((), ())
        assert greeting.instance == other.greeting.instance
    another = live_server(create_app(InlineParrot, Say, Heard))
    with peer(another) as client:
        assert client.greeting.instance != greeting.instance


def test_the_greeting_counts_free_slots(parrot):
    with peer(parrot) as client, talk(parrot) as other:
        other.reset()
        sessions = client.open(2)
        with peer(parrot) as late:
            assert late.greeting.free == 5
        for session in sessions:
            client.ask(session, 2, "close")


def test_the_token_and_the_origin_are_asked_for_first(live_server):
    settings = ServerSettings(token="open sesame")
    server = live_server(create_app(InlineParrot, Say, Heard, settings=settings))
    with pytest.raises(InvalidStatus) as refused, peer(server):
        pass
    assert refused.value.response.status_code == 401
    headers = {"Authorization": "Bearer open sesame"}
    with (
        pytest.raises(InvalidStatus) as refused,
        peer(server, additional_headers=headers, origin="https://evil.example"),
    ):
        pass
    assert refused.value.response.status_code == 403
    with peer(server, additional_headers=headers) as client:
        assert client.is_alive()
