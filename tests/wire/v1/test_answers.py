from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_gym.wire.messages import (
    ErrorReply,
    FrameReply,
    McpReply,
    Outcome,
    Reply,
    RestoredReply,
    SnapshotReply,
    StateReply,
)
from openenv_gym.wire.v1.answers import lay_out, read_answer
from openenv_gym.wire.v1.codecs import SUBPROTOCOLS, Codec, codec_for
from openenv_gym.wire.v1.entries import FrameError, Kind
from tests.wire.json_values import errors, objects

outcomes = st.builds(
    Outcome,
    objects,
    st.none() | st.integers() | st.floats(),
    st.booleans(),
    st.booleans(),
    st.none() | objects,
)
answers: st.SearchStrategy[Reply] = st.one_of(
    outcomes,
    errors,
    st.builds(StateReply, objects),
    st.builds(McpReply, objects),
    st.builds(SnapshotReply, st.text()),
    st.just(RestoredReply()),
    st.builds(FrameReply, st.text() | objects),
)


@pytest.mark.parametrize("codec", [pytest.param(codec_for(name), id=name) for name in SUBPROTOCOLS])
@given(answer=answers)
def test_answers_arrive_as_they_left(codec: Codec, answer: Reply) -> None:
    (entry,) = codec.decode_replies(codec.join([codec.encode(("s", 1, *lay_out(answer)))]))
    assert repr(read_answer(entry.kind, entry.payload)) == repr(answer)


def test_what_an_outcome_need_not_say_is_left_out() -> None:
    assert lay_out(Outcome({"a": 1}, 0.5)) == ("outcome", ({"a": 1}, 0.5))
    assert lay_out(Outcome({}, None, True)) == ("outcome", ({}, None, True, False))
    assert lay_out(Outcome({}, None, metadata={})) == ("outcome", ({}, None, False, False, {}))


def test_an_error_that_ends_the_session_is_another_kind() -> None:
    assert lay_out(ErrorReply("EXECUTION_ERROR", "raised"))[0] == "error"
    assert lay_out(ErrorReply("EXECUTION_ERROR", "late", {"reason": "deadline"}))[0] == "gone"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Kind.OUTCOME, None),
        (Kind.OUTCOME, [{}]),
        (Kind.OUTCOME, [[], 1.0]),
        (Kind.OUTCOME, [{}, "1"]),
        (Kind.OUTCOME, [{}, True]),
        (Kind.OUTCOME, [{}, 10**400]),
        (Kind.OUTCOME, [{}, 1.0, 1]),
        (Kind.OUTCOME, [{}, 1.0, True, False, []]),
        (Kind.STATE, []),
        (Kind.MCP, None),
        (Kind.SNAPSHOT, 3),
        (Kind.ERROR, ["code", "message"]),
        (Kind.GONE, None),
    ],
)
def test_payloads_that_break_their_kinds_promise(kind: str, payload: Any) -> None:
    with pytest.raises(FrameError):
        read_answer(kind, payload)


def test_a_kind_of_a_later_version_is_no_answer() -> None:
    assert read_answer("dream", None) is None
