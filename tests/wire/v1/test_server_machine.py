"""The server's machine, one rule of wire/README.md at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openenv_gym.wire.messages import ErrorCode, ErrorReply, Outcome, SnapshotReply
from openenv_gym.wire.v1.codecs import JsonCodec, MsgpackCodec
from openenv_gym.wire.v1.entries import Call, FrameError, ReplyEntry
from openenv_gym.wire.v1.server_effects import CloseSession, Effect, OpenSession, RunCall
from openenv_gym.wire.v1.server_machine import ServerMachine
from openenv_gym.wire.v1.server_terms import ServerTerms

A, B, C, D = (f"session-{letter}-0123456789" for letter in "abcd")


class Server:
    """A machine, driven by hand: requests in, decoded replies out."""

    def __init__(self, capacity: int = 2, **terms: Any) -> None:
        self.codec = MsgpackCodec()
        self.machine = ServerMachine(ServerTerms("life-1", capacity, **terms))
        self.now = 0.0

    def connect(self) -> int:
        number = self.machine.connect(self.codec)
        assert self.read(number)[0].kind == "greeting"
        return number

    def say(self, number: int, *entries: tuple[Any, ...]) -> list[Effect]:
        frame = self.codec.join([self.codec.encode(entry) for entry in entries])
        self.machine.receive(self.now, number, frame)
        return self.machine.take_effects()

    def read(self, number: int) -> list[ReplyEntry]:
        replies: list[ReplyEntry] = []
        while (frame := self.machine.next_frame(number)) is not None:
            replies += self.codec.decode_replies(frame)
        return replies

    def read_one(self, number: int) -> ReplyEntry:
        (reply,) = self.read(number)
        return reply

    def open(self, number: int, session: str) -> None:
        assert [type(effect) for effect in self.say(number, (session, 0, "open"))] == [OpenSession]
        self.machine.opened(session)
        assert self.read_one(number).kind == "opened"

    def close(self, session: str) -> None:
        self.machine.closed(self.now, session)


def reason(reply: ReplyEntry) -> Any:
    return reply.payload[2].get("reason")


# --- calls ---------------------------------------------------------------------------------------------


def test_calls_of_many_sessions_share_frames() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.open(number, B)
    effects = server.say(number, (A, 1, "step", {"x": 1}, 5.0), (B, 1, "reset"))
    assert effects == [RunCall(A, Call.STEP, {"x": 1}, 5.0), RunCall(B, Call.RESET, {}, 600.0)]
    server.machine.finished(B, Outcome({"b": 1}))
    server.machine.finished(A, Outcome({"a": 1}, 2.0, True))
    assert server.machine.take_writable() == {number}
    frame = server.machine.next_frame(number)
    assert frame is not None and server.machine.next_frame(number) is None
    assert server.codec.decode_replies(frame) == [
        ReplyEntry(B, 1, "outcome", [{"b": 1}, None]),
        ReplyEntry(A, 1, "outcome", [{"a": 1}, 2.0, True, False]),
    ]


def test_a_repeated_number_joins_and_is_answered_again() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    assert len(server.say(number, (A, 1, "step", {}))) == 1
    assert server.say(number, (A, 1, "step", {})) == []
    assert server.read(number) == []
    server.machine.finished(A, Outcome({}, 1.0))
    first = server.read_one(number)
    assert server.say(number, (A, 1, "step", {})) == []
    assert server.read_one(number) == first


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ((A, 3, "step", {}), "VALIDATION_ERROR"),  # 2 is next
        ((A, 2, "open"), "VALIDATION_ERROR"),
        ((A, 2, "step", []), "VALIDATION_ERROR"),
        ((A, 2, "snapshot"), "UNKNOWN_TYPE"),  # not offered
        ((A, 2, "dance"), "UNKNOWN_TYPE"),
        (("", 0, "dance"), "UNKNOWN_TYPE"),
    ],
)
def test_refused_calls_leave_the_session_as_it_was(entry: tuple[Any, ...], code: str) -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.say(number, (A, 1, "step", {}))
    server.machine.finished(A, Outcome({}, 1.0))
    server.read(number)
    assert server.say(number, entry) == []
    reply = server.read_one(number)
    assert (reply.kind, reply.payload[0]) == ("error", code)


def test_a_refused_call_uses_its_number_up() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.say(number, (A, 1, "dance"))
    first = server.read_one(number)
    server.say(number, (A, 1, "dance"))
    assert server.read_one(number) == first
    assert len(server.say(number, (A, 2, "step", {}))) == 1


def test_a_second_call_while_one_runs_is_busy() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.say(number, (A, 1, "step", {}))
    assert server.say(number, (A, 2, "step", {})) == []
    reply = server.read_one(number)
    assert (reply.seq, reply.kind, reason(reply)) == (2, "error", "busy")


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf"), 601.0, None])
def test_senseless_timeouts_mean_the_servers_own(timeout: float | None) -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    (effect,) = server.say(number, (A, 1, "step", {}, timeout))
    assert isinstance(effect, RunCall) and effect.timeout == 600.0


def test_an_answer_that_cannot_be_sent_is_an_error_and_spoils_no_other() -> None:
    server = Server(max_frame_bytes=8192)
    number = server.connect()
    for session in (A, B):
        server.open(number, session)
        server.say(number, (session, 1, "step", {}))
    server.machine.finished(A, Outcome({"huge": "x" * 8192}))
    server.machine.finished(B, Outcome({"fine": 1}))
    a, b = server.read(number)
    assert a.kind == "error" and "takes 8" in a.payload[1]
    assert b.kind == "outcome"
    server.say(number, (A, 2, "step", {}))
    server.machine.finished(A, Outcome({"object": object()}))
    first = server.read_one(number)
    assert first.kind == "error" and "object cannot be sent" in first.payload[1]
    server.say(number, (A, 2, "step", {}))
    assert server.read_one(number) == first


def test_frames_keep_to_the_limits() -> None:
    server = Server(capacity=40, max_frame_bytes=20_000, max_entries=7)
    number = server.connect()
    sessions = [f"session-{index:010}" for index in range(40)]
    for session in sessions:
        server.open(number, session)
    for start in range(0, 40, 7):
        server.say(number, *((session, 1, "step", {}) for session in sessions[start : start + 7]))
    for index, session in enumerate(sessions):
        server.machine.finished(session, Outcome({"pixels": np.zeros(index * 300, np.uint8)}))
    seen = []
    while (frame := server.machine.next_frame(number)) is not None:
        replies = server.codec.decode_replies(frame)
        assert len(frame) <= 20_000 and len(replies) <= 7
        seen += [reply.session for reply in replies]
    assert seen == sessions


# --- connections ---------------------------------------------------------------------------------------


def test_the_newest_connection_gets_the_answer() -> None:
    server = Server()
    old = server.connect()
    server.open(old, A)
    server.say(old, (A, 1, "step", {}))
    new = server.connect()
    server.say(new, (A, 1, "step", {}))
    server.machine.finished(A, Outcome({}, 1.0))
    assert server.read(old) == []
    assert server.read_one(new).kind == "outcome"
    # A leftover on the old connection changes nothing, and its end starts no lease.
    server.say(old, (A, 1, "step", {}))
    assert server.read(old) == []
    server.read(new)
    server.machine.disconnect(0.0, old)
    assert server.machine.next_wakeup is None
    assert len(server.say(new, (A, 2, "step", {}))) == 1


def test_an_answer_not_yet_sent_moves_with_its_session() -> None:
    server = Server()
    old = server.connect()
    server.open(old, A)
    server.say(old, (A, 1, "step", {}))
    server.machine.finished(A, Outcome({}, 1.0))
    new = server.connect()
    server.say(new, (A, 1, "step", {}))
    assert server.read(old) == []
    assert server.read_one(new).kind == "outcome"


def test_a_lease_begins_with_the_disconnect_and_resume_ends_it() -> None:
    server = Server()
    first = server.connect()
    server.open(first, A)
    server.open(first, B)
    server.machine.disconnect(100.0, first)
    assert server.machine.next_wakeup == 160.0
    second = server.connect()
    server.say(second, (A, 0, "resume"))
    assert server.read_one(second).kind == "resumed"
    server.machine.wake(160.0)
    (effect,) = server.machine.take_effects()
    assert isinstance(effect, CloseSession) and effect.session == B
    server.close(B)
    server.say(second, (B, 0, "resume"), (B, 1, "step", {}))
    assert [reply.kind for reply in server.read(second)] == ["gone", "gone"]
    assert server.machine.next_wakeup is None and server.machine.session_count == 1


def test_a_detached_session_whose_last_call_ended_it_has_no_lease_left() -> None:
    server = Server()
    first = server.connect()
    server.open(first, A)
    server.say(first, (A, 1, "step", {}))
    server.machine.disconnect(0.0, first)
    server.machine.finished(A, ErrorReply("EXECUTION_ERROR", "late", {"reason": "deadline"}))
    assert server.machine.next_wakeup is None
    assert [type(effect) for effect in server.machine.take_effects()] == [CloseSession]
    second = server.connect()
    for _ in range(2):  # while it closes, and from its tombstone
        server.say(second, (A, 1, "step", {}))
        reply = server.read_one(second)
        assert (reply.kind, reason(reply)) == ("gone", "deadline")
        if server.machine.session_count:
            server.close(A)


def test_nobody_reads_from_a_client_that_does_not_read() -> None:
    server = Server()
    number = server.connect()
    while server.machine.accepts(number):
        server.say(number, *[("", 0, "ping", "x")] * 100)
    assert len(server.read(number)) < 2000
    assert server.machine.accepts(number)


def test_nobody_reads_what_a_client_that_does_not_read_wants_echoed() -> None:
    server = Server()
    number = server.connect()
    said = 0
    while server.machine.accepts(number):
        server.say(number, ("", 0, "ping", "x" * 2**20))
        said += 1
    assert said < 10
    assert len(server.read(number)) == said
    assert server.machine.accepts(number)
    for _ in range(20):
        server.say(number, ("", 0, "ping", "x" * 2**20))
        server.read(number)
        assert server.machine.accepts(number)


@pytest.mark.parametrize("session", ["short", "x" * 129])
def test_session_ids_have_a_length(session: str) -> None:
    server = Server()
    number = server.connect()
    with pytest.raises(FrameError, match="16 to 128"):
        server.say(number, (session, 0, "open"))


def test_a_frame_of_too_many_entries_is_refused() -> None:
    server = Server(max_entries=4)
    number = server.connect()
    with pytest.raises(FrameError, match="5 entries"):
        server.say(number, *[("", 0, "ping")] * 5)


def test_codecs_are_the_connections_own() -> None:
    server = Server()
    server.open(server.connect(), A)
    number = server.machine.connect(JsonCodec())
    greeting, *_ = JsonCodec().decode_replies(server.machine.next_frame(number) or "")
    assert greeting.payload["instance"] == "life-1"
    server.machine.receive(0.0, number, f'[["{A}",1,"state"]]')
    (effect,) = server.machine.take_effects()
    assert effect == RunCall(A, Call.STATE, {}, 600.0)


# --- closing -------------------------------------------------------------------------------------------


def test_close_overtakes_and_is_idempotent() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.say(number, (A, 1, "step", {}))
    assert [type(effect) for effect in server.say(number, (A, 2, "close"))] == [CloseSession]
    assert server.say(number, (A, 2, "close")) == []
    server.machine.finished(A, Outcome({}))  # too late
    assert server.read(number) == []
    server.close(A)
    assert server.read_one(number).kind == "closed"
    assert server.say(number, (A, 2, "close")) == []
    assert server.read_one(number).kind == "closed"


def test_closed_ids_are_not_opened_again_until_forgotten() -> None:
    server = Server()
    number = server.connect()
    server.say(number, (A, 0, "close"))  # its open is still on the way, on an older connection
    assert server.read_one(number).kind == "closed"
    assert server.say(number, (A, 0, "open")) == []
    assert server.read_one(number).kind == "gone"
    server.now = 600.0
    server.open(number, A)


def test_tombstones_are_bounded() -> None:
    server = Server(max_tombstones=2)
    number = server.connect()
    for session in (A, B, C):
        server.say(number, (session, 0, "close"))
    server.read(number)
    assert server.say(number, (C, 0, "open"), (B, 0, "open")) == []
    assert len(server.say(number, (A, 0, "open"))) == 1


def test_the_server_ends_a_session() -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    server.open(number, B)
    server.say(number, (B, 1, "step", {}))
    crashed = ErrorReply("EXECUTION_ERROR", "the worker died", {"reason": "crashed"})
    for session in (A, B, A):
        server.machine.end(session, crashed)
    assert [type(effect) for effect in server.machine.take_effects()] == [CloseSession] * 2
    replies = server.read(number)
    assert {(reply.session, reply.seq, reply.kind) for reply in replies} == {(A, 0, "gone"), (B, 1, "gone")}


def test_closing_while_opening() -> None:
    server = Server()
    number = server.connect()
    server.say(number, (A, 0, "open"))
    assert [type(effect) for effect in server.say(number, (A, 1, "close"))] == [CloseSession]
    server.machine.opened(A)  # too late
    server.close(A)
    assert server.read_one(number).kind == "closed"
    assert server.machine.session_count == 0


# --- admission -----------------------------------------------------------------------------------------


def test_opens_beyond_capacity_wait_in_order() -> None:
    server = Server(capacity=1)
    number = server.connect()
    server.open(number, A)
    assert server.say(number, (B, 0, "open"), (C, 0, "open"), (B, 0, "open")) == []
    server.say(number, (A, 1, "close"))
    server.close(A)
    assert [effect.session for effect in server.machine.take_effects()] == [B]


def test_an_open_is_refused_after_its_deadline_or_beyond_the_bound() -> None:
    server = Server(capacity=1, queue_size=1, queue_timeout=30.0)
    number = server.connect()
    server.open(number, A)
    server.say(number, (B, 0, "open", None, 7.0), (C, 0, "open"))
    reply = server.read_one(number)
    assert (reply.session, reply.kind, reply.payload[0]) == (C, "gone", ErrorCode.CAPACITY_REACHED)
    assert server.machine.next_wakeup == 7.0
    server.machine.wake(7.0)
    reply = server.read_one(number)
    assert (reply.session, reply.payload[2]["retry_after"]) == (B, 5.0)
    assert server.machine.next_wakeup is None


def test_a_waiting_open_leaves_with_its_connection_or_its_close() -> None:
    server = Server(capacity=1)
    first, second = server.connect(), server.connect()
    server.open(first, A)
    server.say(second, (B, 0, "open"), (C, 0, "open"))
    server.say(second, (B, 1, "close"))
    assert server.read_one(second).kind == "closed"
    server.machine.disconnect(0.0, second)
    server.say(first, (A, 1, "close"))
    server.close(A)
    assert server.machine.take_effects() == []


def test_slots_held_outside_count() -> None:
    server = Server(capacity=2)
    number = server.connect()
    server.machine.occupy(2)
    assert server.say(number, (A, 0, "open")) == []
    server.machine.occupy(1)
    assert [type(effect) for effect in server.machine.take_effects()] == [OpenSession]
    assert server.machine.free == 0


def test_a_failed_opening_frees_its_slot_and_is_answered_again() -> None:
    server = Server(capacity=1)
    number = server.connect()
    server.say(number, (A, 0, "open"), (B, 0, "open"))
    server.machine.open_failed(0.0, A, ErrorReply("FACTORY_ERROR", "no display"))
    assert [effect.session for effect in server.machine.take_effects()] == [B]
    first = server.read_one(number)
    assert (first.kind, first.payload[:2]) == ("gone", ["FACTORY_ERROR", "no display"])
    server.say(number, (A, 0, "open"))
    assert server.read_one(number) == first


# --- snapshots -----------------------------------------------------------------------------------------


def test_snapshots_and_forks() -> None:
    server = Server(capacity=2, features=("snapshot", "fork"))
    number = server.connect()
    server.open(number, A)
    assert server.say(number, (A, 1, "snapshot")) == [RunCall(A, Call.SNAPSHOT, {}, 600.0)]
    server.machine.finished(A, SnapshotReply("h1"))
    assert server.read_one(number) == ReplyEntry(A, 1, "snapshot", "h1")
    fork = {"parent": A, "snapshot": "h1"}
    assert server.say(number, (B, 0, "open", fork)) == [OpenSession(B, 300.0, A, "h1")]
    server.say(number, (C, 0, "open", fork), (A, 2, "close"))
    server.close(A)
    replies = server.read(number)
    assert [(reply.session, reply.kind) for reply in replies] == [(A, "closed"), (C, "gone")]


@pytest.mark.parametrize("payload", [{"parent": A, "snapshot": "h"}, {"parent": A}, [], "x"])
def test_forks_need_the_feature_and_their_payload(payload: Any) -> None:
    server = Server()
    number = server.connect()
    server.open(number, A)
    assert server.say(number, (B, 0, "open", payload)) == []
    assert server.read_one(number).kind == "gone"


# --- shutting down -------------------------------------------------------------------------------------


def test_draining_lets_calls_finish_and_refuses_the_rest() -> None:
    server = Server(capacity=2)
    number = server.connect()
    server.open(number, A)
    server.open(number, B)
    server.say(number, (A, 1, "step", {}), (C, 0, "open"))
    server.machine.drain()
    kinds = [(reply.session, reply.kind) for reply in server.read(number)]
    assert kinds == [(C, "gone"), ("", "draining")]
    assert not server.machine.is_quiet
    server.say(number, (B, 1, "step", {}), (D, 0, "open"))
    replies = server.read(number)
    assert [(reply.session, reply.kind, reason(reply)) for reply in replies] == [
        (B, "gone", "draining"),
        (D, "gone", "draining"),
    ]
    server.machine.finished(A, Outcome({}, 1.0))
    assert server.machine.is_quiet
    assert server.read_one(number).kind == "outcome"
    server.machine.end_all()
    assert {effect.session for effect in server.machine.take_effects()} == {A}  # B is closing
    assert server.read_one(number).session == A
