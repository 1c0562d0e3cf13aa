"""Snapshots, restores and forks on the wire, wherever the environment runs."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import (
    AsyncGambler,
    Gambler,
    Heard,
    InlineGambler,
    ProcessGambler,
    Say,
    Sleeper,
    Solitary,
)
from tests.server.talk import active, talk, wait_until
from tests.server.v1.peer import Peer, as_error, echo_of, new_id, peer


class SleepingGambler(Sleeper, Gambler):
    """Can be forked in its sleep."""


class OneGambler(Solitary):
    """Allows one session, and can go back."""

    def snapshot(self) -> Any:
        return self._state.model_copy()

    def restore(self, state: Any) -> None:
        self._state = state.model_copy()


def fork(client: Peer, parent: str, snapshot: Any, timeout: float | None = None) -> tuple[str, Any]:
    session = new_id()
    return session, client.ask(session, 0, "open", {"parent": parent, "snapshot": snapshot}, timeout)


def play(client: Peer, session: str, seq: int) -> list[Any]:
    """Two steps, the state, and the end; leads to seq + 5."""
    steps = [client.step(session, seq + number, word).payload for number, word in enumerate(("a", "b"))]
    state = client.ask(session, seq + 2, "state").payload
    last = client.step(session, seq + 3, "end").payload
    refused = as_error(client.step(session, seq + 4, "more")).reason
    return [*steps, state, last, refused]


def close(client: Peer, *sessions: tuple[str, int]) -> None:
    for session, seq in sessions:
        assert client.ask(session, seq, "close").kind == "closed"


@pytest.mark.parametrize("env", [InlineGambler, AsyncGambler, Gambler, ProcessGambler])
def test_what_follows_a_snapshot_follows_it_again(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with peer(server) as client:
        assert client.greeting.features == ("snapshot", "fork")
        (session,) = client.open()
        client.ask(session, 2, "reset", {"seed": 7, "episode_id": "e"})
        client.step(session, 3, "before")
        taken = client.ask(session, 4, "snapshot")
        assert taken.kind == "snapshot"
        first = play(client, session, 5)
        assert first[2] == {"episode_id": "e", "step_count": 3}
        assert client.ask(session, 10, "restore", {"snapshot": taken.payload}).kind == "restored"
        assert play(client, session, 11) == first
        twin, opened = fork(client, session, taken.payload)
        assert opened.kind == "opened"
        assert play(client, twin, 1) == first
        again, _ = fork(client, session, taken.payload)
        close(client, (session, 16))
        assert play(client, again, 1) == first, "a fork outlives its parent"
        over = client.ask(again, 6, "snapshot").payload
        assert client.ask(again, 7, "reset", {"seed": 1}).kind == "outcome"
        assert client.ask(again, 8, "restore", {"snapshot": over}).kind == "restored"
        assert as_error(client.step(again, 9, "x")).reason == "episode_over"
        close(client, (twin, 6), (again, 10))
    assert active(server) == 0


@pytest.mark.parametrize("env", [InlineGambler, AsyncGambler, Gambler, ProcessGambler])
def test_what_fails_is_an_error_and_the_session_lives(live_server, env):
    server = live_server(create_app(env, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        fresh = new_id()
        client.ask(fresh, 0, "open")
        assert as_error(client.ask(fresh, 1, "snapshot")).reason == "not_reset"
        close(client, (fresh, 2))
        for seq, handle in enumerate(("nonsense", None, 5, ["x"]), start=2):
            error = as_error(client.ask(session, seq, "restore", {"snapshot": handle}))
            assert (error.gone, error.reason) == (False, "no_snapshot")
        good = client.ask(session, 6, "snapshot").payload
        client.step(session, 7, "restore")
        cursed = client.ask(session, 8, "snapshot").payload
        client.step(session, 9, "snapshot")
        error = as_error(client.ask(session, 10, "snapshot"))
        assert (error.gone, error.code, error.message) == (
            False,
            "EXECUTION_ERROR",
            "LookupError: lost the dice",
        )
        assert client.step(session, 11, "still here").kind == "outcome"
        assert as_error(client.ask(session, 12, "restore", {"snapshot": cursed})).code == "EXECUTION_ERROR"
        assert as_error(client.step(session, 13, "x")).reason == "not_reset", "half a restore is none"
        assert client.ask(session, 14, "restore", {"snapshot": good}).kind == "restored"
        assert client.step(session, 15, "x").kind == "outcome"
        refused = as_error(fork(client, session, cursed)[1])
        assert (refused.gone, refused.code) == (True, "FACTORY_ERROR")
        assert refused.message == "the fork failed: LookupError: lost the dice"
        assert active(server) == 1
        close(client, (session, 16))


def test_handles_are_their_session_s_alone_and_go_with_it(live_server):
    server = live_server(create_app(InlineGambler, Say, Heard, settings=ServerSettings(lease=0.05)))
    with peer(server) as client:
        first, second = client.open(2)
        handle = client.ask(first, 2, "snapshot").payload
        assert as_error(client.ask(second, 2, "restore", {"snapshot": handle})).reason == "no_snapshot"
        for parent, snapshot in ((second, handle), (first, "nonsense"), (new_id(), handle)):
            assert as_error(fork(client, parent, snapshot)[1]).gone
        close(client, (first, 3))
        assert as_error(fork(client, first, handle)[1]).reason == "closed"
        session = server.run(lambda: next(iter(server.app.state.sessions._register)))
        client.ask(second, 3, "snapshot")
        assert len(session.snapshots) == 1
    wait_until(lambda: active(server) == 0)  # its lease is over
    assert len(session.snapshots) == 0


def test_the_snapshots_of_a_session_are_few(live_server):
    server = live_server(create_app(InlineGambler, Say, Heard, settings=ServerSettings(max_snapshots=2)))
    with peer(server) as client:
        (session,) = client.open()
        handles = [client.ask(session, seq, "snapshot").payload for seq in (2, 3, 4)]
        kinds = [client.ask(session, 5 + n, "restore", {"snapshot": h}).kind for n, h in enumerate(handles)]
        assert kinds == ["error", "restored", "restored"]
        close(client, (session, 8))


def test_a_call_that_runs_hinders_no_fork(live_server):
    server = live_server(create_app(SleepingGambler, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        sleeper = SleepingGambler.latest
        handle = client.ask(session, 2, "snapshot").payload
        client.send((session, 3, "step", {"message": "sleep"}))
        assert sleeper.asleep.wait(30)
        twin, opened = fork(client, session, handle)
        assert opened.kind == "opened"
        drawn = echo_of(client.step(twin, 1, "x")).split()[1]
        sleeper.woken.set()
        assert echo_of(client.reply(session, 3)) == f"sleep {drawn}"
        close(client, (session, 4), (twin, 2))


def test_a_fork_waits_for_a_slot_and_takes_it(live_server):
    server = live_server(create_app(InlineGambler, Say, Heard, max_concurrent_envs=2))
    with peer(server) as client:
        first, second = client.open(2)
        handle = client.ask(first, 2, "snapshot").payload
        assert as_error(fork(client, first, handle, 0.05)[1]).code == "CAPACITY_REACHED"
        twin = new_id()
        client.send((twin, 0, "open", {"parent": first, "snapshot": handle}), (second, 2, "close"))
        assert client.reply(twin, 0).kind == "opened"
        assert active(server) == 2
        close(client, (first, 3), (twin, 1))


def test_what_is_sent_again_is_done_once(live_server):
    server = live_server(create_app(InlineGambler, Say, Heard))
    with peer(server) as client:
        (session,) = client.open()
        client.send((session, 2, "snapshot"))
    with peer(server) as client:
        handle = client.ask(session, 2, "snapshot").payload
        assert client.ask(session, 2, "snapshot").payload == handle
        twin = new_id()
        request = (twin, 0, "open", {"parent": session, "snapshot": handle})
        client.send(request, request)
        assert client.reply(twin, 0).kind == "opened"
    with peer(server) as client:
        assert client.ask(session, 3, "close").kind == "closed"
        assert client.ask(*request).kind == "opened", "also when its parent is gone by now"
        assert active(server) == 1
        close(client, (twin, 1))


def test_an_environment_for_one_session_has_no_forks(live_server):
    server = live_server(create_app(OneGambler, Say, Heard))
    with peer(server) as client:
        assert client.greeting.features == ("snapshot",)
        (session,) = client.open()
        handle = client.ask(session, 2, "snapshot").payload
        assert "offers no forks" in as_error(fork(client, session, handle)[1]).message
        assert client.ask(session, 3, "restore", {"snapshot": handle}).kind == "restored"
        close(client, (session, 4))


def test_openenv_s_dialect_has_no_word_for_it(live_server):
    server = live_server(create_app(InlineGambler, Say, Heard))
    with talk(server) as session:
        session.reset()
        session.send({"type": "snapshot"})
        assert session.receive()["data"]["code"] == "UNKNOWN_TYPE"
