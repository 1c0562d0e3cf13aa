"""OpenEnv's frames: both halves understand each other, and survive what is no frame at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from openenv_gym.errors import NotSupportedError, ProtocolError
from openenv_gym.wire import openenv
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Outcome, Request, StateReply
from tests.wire.json_values import errors, frames, outcomes, requests


@given(requests)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    assert repr(openenv.decode_request(openenv.encode_request(request_))) == repr(request_)


@given(outcomes)
def test_an_outcome_arrives_with_all_it_says(outcome: Outcome) -> None:
    back = openenv.decode_reply(openenv.encode_reply(outcome))
    assert isinstance(back, Outcome)
    assert back.truncated == (outcome.truncated or (outcome.metadata or {}).get("truncated") is True)
    assert back.done == (outcome.done or outcome.truncated)
    assert repr(back.reward) == repr(outcome.reward)
    metadata = dict(outcome.metadata or {})
    if outcome.truncated:
        metadata["truncated"] = True
    assert repr(back.metadata) == repr(metadata)
    assert repr(back.observation) == repr({**outcome.observation, "metadata": metadata})


@given(errors)
def test_an_error_arrives_with_code_message_and_details(error: ErrorReply) -> None:
    back = openenv.decode_reply(openenv.encode_reply(error))
    assert isinstance(back, ErrorReply)
    details = {key: value for key, value in error.details.items() if key not in ("code", "message")}
    assert (back.code, back.message) == (error.code, error.message)
    assert repr(back.details) == repr(details)


@pytest.mark.parametrize("kind", [StateReply, McpReply])
def test_plain_replies_arrive(kind: type[Any]) -> None:
    reply = kind({"step_count": 3, "text": "日本語"})
    assert openenv.decode_reply(openenv.encode_reply(reply).encode()) == reply


@given(frames)
def test_a_server_answers_any_frame(frame: str | bytes) -> None:
    try:
        request = openenv.decode_request(frame)
    except openenv.FrameError as refused:
        assert refused.reply.code in (
            ErrorCode.INVALID_JSON,
            ErrorCode.UNKNOWN_TYPE,
            ErrorCode.VALIDATION_ERROR,
        )
        openenv.encode_reply(refused.reply)
    else:
        assert isinstance(request.op, Op)
        assert isinstance(request.payload, dict)


@given(frames)
def test_a_client_survives_any_frame(frame: str | bytes) -> None:
    try:
        reply = openenv.decode_reply(frame)
    except ProtocolError as error:
        assert len(str(error)) < 1000
    else:
        if isinstance(reply, Outcome):
            assert isinstance(reply.observation, dict)
            assert reply.reward is None or isinstance(float(reply.reward), float)
            assert isinstance(reply.done, bool)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", ErrorCode.INVALID_JSON),
        (b"\xff", ErrorCode.INVALID_JSON),
        ("[]", ErrorCode.VALIDATION_ERROR),
        ("{}", ErrorCode.UNKNOWN_TYPE),
        ('{"type": "fly"}', ErrorCode.UNKNOWN_TYPE),
        ('{"type": ["step"]}', ErrorCode.UNKNOWN_TYPE),
        ('{"type": "step"}', ErrorCode.VALIDATION_ERROR),
        ('{"type": "step", "data": []}', ErrorCode.VALIDATION_ERROR),
        ('{"type": "step", "data": {}, "seq": 1}', ErrorCode.VALIDATION_ERROR),
        ('{"type": "state", "data": {}}', ErrorCode.VALIDATION_ERROR),
    ],
)
def test_what_is_wrong_with_a_frame_is_said(frame: str | bytes, code: ErrorCode) -> None:
    with pytest.raises(openenv.FrameError) as refused:
        openenv.decode_request(frame)
    assert refused.value.reply.code == code


def test_a_reset_needs_no_data() -> None:
    assert openenv.decode_request('{"type": "reset"}') == Request(Op.RESET, {})


@pytest.mark.parametrize(
    "data",
    [
        {"observation": []},
        {"observation": {}, "reward": "1"},
        {"observation": {}, "reward": [1]},
        {"observation": {}, "reward": 10**400},
        {"observation": {}, "done": "false"},
        {"observation": {}, "done": 0},
    ],
)
def test_an_outcome_of_wrong_types_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        openenv.decode_reply(json.dumps({"type": "observation", "data": data}))


def test_details_cannot_pose_as_code_or_message() -> None:
    error = ErrorReply(ErrorCode.EXECUTION_ERROR, "no", {"code": "OK", "message": "yes", "reason": "busy"})
    back = openenv.decode_reply(openenv.encode_reply(error))
    assert back == ErrorReply("EXECUTION_ERROR", "no", {"reason": "busy"})


@pytest.mark.parametrize("op", [Op.SNAPSHOT, Op.RESTORE])
def test_the_dialect_has_no_word_for_snapshots(op: Op) -> None:
    with pytest.raises(NotSupportedError, match=f"{op}.. needs openenv-gym"):
        openenv.encode_request(Request(op))
    with pytest.raises(openenv.FrameError) as refused:
        openenv.decode_request(json.dumps({"type": op.value, "data": {}}))
    assert refused.value.reply.code == ErrorCode.UNKNOWN_TYPE
