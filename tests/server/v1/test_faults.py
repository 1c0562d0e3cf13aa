"""Environments that raise, hang, crash, or cannot be made."""

from __future__ import annotations

import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import (
    Heard,
    ProcessParrot,
    Say,
    Sleeper,
    Sulking,
)
from tests.server.talk import wait_until_empty
from tests.server.v1.environments import HangingAsync, HangingProcess
from tests.server.v1.peer import as_error, echo_of, new_id, peer


class SulkingInline(Sulking):
    EXECUTION = "inline"


@pytest.mark.parametrize("env", [Sulking, SulkingInline])
def test_an_environment_that_raises_keeps_its_session(live_server, env, monkeypatch):
    server = live_server(create_app(env, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        monkeypatch.setattr(env, "SULKS_IN", "step")
        error = as_error(client.step(session, 2, "x"))
        assert (error.gone, error.code, error.details["type"]) == (False, "EXECUTION_ERROR", "LookupError")
        monkeypatch.setattr(env, "SULKS_IN", "")
        assert echo_of(client.step(session, 3, "better")) == "better"


def test_an_environment_that_cannot_be_made_leaves_no_slot(live_server, monkeypatch):
    monkeypatch.setattr(Sulking, "SULKS_IN", "init")
    server = live_server(create_app(Sulking, Say, Heard))
    with peer(server) as client:
        session = new_id()
        error = as_error(client.ask(session, 0, "open"))
        assert (error.gone, error.code) == (True, "FACTORY_ERROR")
        assert as_error(client.ask(session, 0, "open")) == error
    wait_until_empty(server)


@pytest.mark.parametrize("env", [HangingAsync, HangingProcess])
def test_a_deadline_ends_the_session(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with peer(server) as client:
        hung, other = client.open(2)
        error = as_error(client.step(hung, 2, "hang", 0.1))
        assert (error.gone, error.reason) == (True, "deadline")
        assert as_error(client.step(hung, 3, "again")).gone
        assert echo_of(client.step(other, 2, "fine")) == "fine"


def test_a_runaway_thread_loses_its_session(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = Sleeper.latest
        assert as_error(client.step(session, 2, "sleep", 0.1)).reason == "deadline"
        sleeper.woken.set()
        client.open()


def test_a_worker_that_dies_ends_its_session_only(live_server):
    server = live_server(create_app(ProcessParrot, Say, Heard))
    with peer(server) as client:
        dying, other = client.open(2)
        error = as_error(client.step(dying, 2, "die"))
        assert (error.gone, error.reason) == (True, "crashed")
        assert echo_of(client.step(other, 2, "fine")) == "fine"


def test_a_session_that_an_mcp_call_ended_is_over(live_server):
    server = live_server(create_app(HangingAsync, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        call = {"jsonrpc": "2.0", "id": 5, "method": "tools/list"}
        reply = client.ask(session, 2, "mcp", call, 0.1)
        assert reply.payload["error"]["data"]["reason"] == "deadline"
        assert as_error(client.step(session, 3, "x")).gone
    wait_until_empty(server)
