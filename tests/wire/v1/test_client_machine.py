"""The client's machine, one rule of wire/README.md at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openenv_gym.errors import (
    CapacityError,
    ClosedError,
    ConcurrentCallError,
    NotSupportedError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.wire.messages import ErrorReply, Op, Outcome
from openenv_gym.wire.v1.client_events import Closed, Draining, Gone, Greeted, Opened, Ponged, Replied
from openenv_gym.wire.v1.client_machine import ClientMachine
from openenv_gym.wire.v1.codecs import MsgpackCodec
from openenv_gym.wire.v1.entries import FrameError, RequestEntry
from openenv_gym.wire.v1.server_terms import ServerTerms

A, B, C = (f"session-{letter}-0123456789" for letter in "abc")
FULL = ["CAPACITY_REACHED", "full", {"retry_after": 2.0}]


class Client:
    """A machine, driven by hand: replies in, decoded requests out."""

    def __init__(self) -> None:
        self.codec = MsgpackCodec()
        ids = iter((A, B, C))
        self.machine = ClientMachine(self.codec, patience=10.0, new_id=lambda: next(ids))

    def hear(self, *entries: tuple[Any, ...], now: float = 0.0) -> list[Any]:
        self.machine.receive(now, self.codec.join([self.codec.encode(entry) for entry in entries]))
        return self.machine.take_events()

    def connect(self, instance: str = "life-1", now: float = 0.0, **terms: Any) -> list[Any]:
        greeting = msgspec.to_builtins(ServerTerms(instance, 4, **terms).greeting(4))
        self.machine.connected()
        return self.hear(("", 0, "greeting", greeting), now=now)

    def said(self) -> list[RequestEntry]:
        entries: list[RequestEntry] = []
        while (frame := self.machine.next_frame()) is not None:
            entries += self.codec.decode_requests(frame)
        return entries

    def open(self) -> str:
        session = self.machine.open(0.0, 30.0)
        assert self.said() == [RequestEntry(session, 0, "open", None, 30.0)]
        assert self.hear((session, 0, "opened", 3)) == [Opened(session, 3)]
        return session


@pytest.fixture
def client() -> Client:
    client = Client()
    (greeted,) = client.connect()
    assert isinstance(greeted, Greeted) and not greeted.same_server
    return client


# --- calls ---------------------------------------------------------------------------------------------


def test_a_call_and_its_reply(client: Client) -> None:
    session = client.open()
    client.machine.call(0.0, session, Op.STEP, {"x": 1}, 5.0)
    assert client.said() == [RequestEntry(session, 1, "step", {"x": 1}, 5.0)]
    assert client.hear((session, 1, "outcome", [{"y": 2}, 0.5])) == [Replied(session, Outcome({"y": 2}, 0.5))]
    assert client.hear((session, 1, "outcome", [{"y": 2}, 0.5])) == []  # answered twice


def test_an_error_leaves_the_session_usable_and_gone_does_not(client: Client) -> None:
    session = client.open()
    client.machine.call(0.0, session, "step", {})
    client.said()
    error = ["VALIDATION_ERROR", "no", {"errors": []}]
    (replied,) = client.hear((session, 1, "error", error))
    assert replied == Replied(session, ErrorReply("VALIDATION_ERROR", "no", {"errors": []}))
    client.machine.call(0.0, session, "step", {})
    late = ["EXECUTION_ERROR", "too late", {"reason": "deadline"}]
    (gone,) = client.hear((session, 2, "gone", late))
    assert isinstance(gone.cause, StepTimeoutError) and gone.reply == ErrorReply(*late)
    with pytest.raises(ClosedError):
        client.machine.call(0.0, session, "step", {})
    assert client.machine.session_count == 0


def test_one_call_at_a_time(client: Client) -> None:
    session = client.machine.open(0.0, 30.0)
    with pytest.raises(ConcurrentCallError):
        client.machine.call(0.0, session, "reset", {})


def test_what_cannot_be_sent_uses_no_number_up(client: Client) -> None:
    session = client.open()
    with pytest.raises(TypeError):
        client.machine.call(0.0, session, "step", {"x": object()})
    with pytest.raises(ValueError, match="accepts"):
        client.machine.call(0.0, session, "step", {"x": b"x" * 2**24})
    client.machine.call(0.0, session, "step", {})
    assert [entry.seq for entry in client.said()] == [1]


def test_snapshots_and_forks_need_the_feature(client: Client) -> None:
    session = client.open()
    with pytest.raises(NotSupportedError):
        client.machine.call(0.0, session, "snapshot", {})
    with pytest.raises(NotSupportedError):
        client.machine.open(0.0, 30.0, parent=session, snapshot="h")
    other = Client()
    other.connect(features=("snapshot", "fork"))
    parent = other.open()
    other.machine.open(0.0, 30.0, parent=parent, snapshot="h")
    assert other.said() == [RequestEntry(B, 0, "open", {"parent": parent, "snapshot": "h"}, 30.0)]


def test_a_refused_open(client: Client) -> None:
    session = client.machine.open(0.0, 30.0)
    client.said()
    (gone,) = client.hear((session, 0, "gone", FULL))
    assert isinstance(gone.cause, CapacityError) and gone.cause.retry_after == 2.0


def test_the_window_holds_calls_back_but_not_closes() -> None:
    client = Client()
    client.connect(window_bytes=5000)
    for session in [client.open() for _ in range(3)]:
        client.machine.call(0.0, session, "step", {"x": b"x" * 3000})
    assert [entry.session for entry in client.said()] == [A]
    client.machine.close(C)
    assert [(entry.session, entry.op) for entry in client.said()] == [(C, "close")]
    client.hear((A, 1, "outcome", [{}, None]))
    assert [entry.session for entry in client.said()] == [B]
    client.hear((B, 1, "outcome", [{}, None]))
    client.machine.call(0.0, A, "step", {"x": b"x" * 9000})  # beyond the window, alone
    assert [entry.session for entry in client.said()] == [A]


# --- connections ---------------------------------------------------------------------------------------


def test_a_reconnect_sends_again_what_was_not_answered(client: Client) -> None:
    busy, idle, closing = client.open(), client.open(), client.open()
    client.machine.call(0.0, busy, "step", {"x": 1})
    client.machine.close(closing)
    first = client.said()
    client.machine.disconnected(1.0)
    (greeted,) = client.connect(now=2.0)
    assert greeted.same_server
    again = client.said()
    assert [entry for entry in again if entry.session != idle] == first
    assert [(entry.seq, entry.op) for entry in again if entry.session == idle] == [(0, "resume")]
    assert client.hear((idle, 0, "resumed")) == []
    assert client.hear((closing, 1, "closed")) == [Closed(closing)]


def test_another_instance_has_none_of_the_sessions(client: Client) -> None:
    busy, idle = client.open(), client.open()
    opening = client.machine.open(0.0, 30.0)
    client.machine.call(0.0, busy, "step", {})
    client.said()
    client.machine.disconnected(1.0)
    greeted, *gone = client.connect("life-2", now=2.0)
    assert not greeted.same_server
    assert [event.session for event in gone] == [busy, idle]
    assert all(isinstance(event.cause, SessionLostError) for event in gone)
    assert "outcome is unknown" in str(gone[0].cause)
    assert [(entry.session, entry.op) for entry in client.said()] == [(opening, "open")]


def test_work_without_a_connection_waits_for_one() -> None:
    client = Client()
    session = client.machine.open(0.0, 30.0)
    forgotten = client.machine.open(0.0, 30.0)
    client.machine.close(forgotten)
    assert client.machine.take_events() == [Closed(forgotten)]
    assert client.said() == []
    client.connect()
    assert [entry.session for entry in client.said()] == [session]


@pytest.mark.parametrize(("lease", "limit"), [(60.0, 30.0), (5.0, 15.0)])
def test_an_outage_too_long_is_a_fault_and_the_slot_is_freed_later(
    client: Client, lease: float, limit: float
) -> None:
    client.machine.disconnected(0.0)
    client.connect(lease=lease)
    session = client.open()
    client.machine.disconnected(100.0)
    client.machine.disconnected(110.0)  # what is said again does not extend the wait
    assert client.machine.next_wakeup is not None
    client.machine.wake(100.0 + limit - 0.1)
    assert client.machine.take_events() == []
    client.machine.wake(100.0 + limit)
    (gone,) = client.machine.take_events()
    assert gone.session == session and isinstance(gone.cause, SessionLostError)
    client.connect(now=171.0)
    assert [(entry.session, entry.op) for entry in client.said()] == [(session, "close")]
    assert client.hear((session, 1, "closed")) == []
    assert client.machine.session_count == 0


# --- time ----------------------------------------------------------------------------------------------


def test_a_call_without_an_answer_is_given_up_and_closed(client: Client) -> None:
    session = client.open()
    client.machine.call(0.0, session, "step", {}, 5.0)
    client.said()
    client.machine.wake(10.9)  # its own five, and the patience that five deserve
    assert client.machine.take_events() == []
    assert client.machine.next_wakeup == 11.0
    client.machine.wake(11.0)
    (gone,) = client.machine.take_events()
    assert isinstance(gone.cause, StepTimeoutError)
    assert [entry.op for entry in client.said()] == ["close"]
    assert client.hear((session, 1, "outcome", [{}, 1.0])) == []


def test_patience_is_bounded(client: Client) -> None:
    session = client.open()
    client.machine.call(0.0, session, "step", {}, 100.0)
    assert client.machine.next_wakeup == 110.0


def test_whether_an_answer_is_due(client: Client) -> None:
    session = client.open()
    assert not client.machine.awaits_answer
    client.machine.call(0.0, session, "step", {}, 5.0)
    assert client.machine.awaits_answer
    client.hear((session, 1, "outcome", [{}, 1.0]))
    assert not client.machine.awaits_answer
    client.machine.disconnected(1.0)
    assert not client.machine.awaits_answer, "nobody is there to give it"
    client.machine.connected()
    assert client.machine.awaits_answer, "the greeting"
    client.machine.disconnected(1.0)
    client.connect(now=2.0)
    assert client.machine.awaits_answer, "whether the session still lives"
    client.hear((session, 1, "resumed"))
    assert not client.machine.awaits_answer


def test_a_call_without_a_timeout_gets_the_servers_budget(client: Client) -> None:
    session = client.open()
    client.machine.wake(340.0)  # the open was answered in time
    client.machine.call(0.0, session, "step", {})
    assert client.machine.next_wakeup == 610.0


def test_an_open_without_an_answer_is_given_up() -> None:
    client = Client()
    client.machine.open(0.0, 30.0)
    client.machine.wake(339.0)  # 30 s for a slot, 300 for the environment, 10 for the network
    assert client.machine.take_events() == []
    client.machine.wake(340.0)
    (gone,) = client.machine.take_events()
    assert isinstance(gone, Gone) and isinstance(gone.cause, ServerUnreachableError)
    assert client.machine.session_count == 0


# --- the rest ------------------------------------------------------------------------------------------


def test_notices(client: Client) -> None:
    client.machine.ping([1, "x"])
    assert client.said() == [RequestEntry("", 0, "ping", [1, "x"])]
    assert client.hear(("", 0, "pong", [1, "x"])) == [Ponged([1, "x"])]
    assert client.hear(("", 0, "draining", {"retry_after": 5})) == [Draining(5)]
    assert client.hear(("", 0, "weather", "fine"), ("stranger", 1, "outcome", None)) == []


@pytest.mark.parametrize(
    "entry",
    [
        ("", 0, "pong"),
        ("", 0, "greeting", {}),
        ("", 0, "greeting", msgspec.to_builtins(ServerTerms("x", 1, max_frame_bytes=10).greeting(1))),
        ("", 0, "greeting", {**msgspec.to_builtins(ServerTerms("x", 1).greeting(1)), "protocol": 2}),
    ],
)
def test_a_connection_begins_with_a_greeting(entry: tuple[Any, ...]) -> None:
    client = Client()
    client.machine.connected()
    with pytest.raises(FrameError):
        client.hear(entry)


def test_a_reply_that_breaks_its_promise_is_a_frame_error_and_ends_all(client: Client) -> None:
    session = client.open()
    client.machine.call(0.0, session, "step", {})
    client.said()
    with pytest.raises(FrameError):
        client.hear((session, 1, "outcome", "nonsense"))
    cause = SessionLostError("the server sent nonsense")
    client.machine.abandon(cause)
    assert client.machine.take_events() == [Gone(session, cause)]
    assert client.machine.session_count == 0
    assert client.said() == []


def test_session_ids_are_unguessable_by_default() -> None:
    machine = ClientMachine(MsgpackCodec())
    ids = {machine.open(0.0, 1.0) for _ in range(100)}
    assert len(ids) == 100 and min(map(len, ids)) >= 32
