"""Error replies become exceptions: which, and that no reply is too strange to become one."""

from __future__ import annotations

import pytest
from hypothesis import given

from openenv_gym import errors
from openenv_gym.wire.faults import error_from_reply
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason
from tests.wire.json_values import errors as error_replies


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (ErrorCode.INVALID_JSON, None, errors.ProtocolError),
        (ErrorCode.UNKNOWN_TYPE, None, errors.ProtocolError),
        (ErrorCode.VALIDATION_ERROR, None, errors.InvalidActionError),
        (ErrorCode.EXECUTION_ERROR, None, errors.EnvironmentFailedError),
        (ErrorCode.FACTORY_ERROR, None, errors.EnvironmentFailedError),
        (ErrorCode.CAPACITY_REACHED, None, errors.CapacityError),
        (ErrorCode.SESSION_ERROR, None, errors.SessionLostError),
        ("UNAUTHORIZED", None, errors.AuthenticationError),
        ("SOMETHING_NEW", None, errors.EnvironmentFailedError),
        (ErrorCode.SESSION_ERROR, Reason.NOT_RESET, errors.NotResetError),
        (ErrorCode.SESSION_ERROR, Reason.EPISODE_OVER, errors.NotResetError),
        (ErrorCode.SESSION_ERROR, Reason.BUSY, errors.ConcurrentCallError),
        (ErrorCode.SESSION_ERROR, Reason.DRAINING, errors.CapacityError),
        (ErrorCode.SESSION_ERROR, Reason.CLOSED, errors.SessionLostError),
        (ErrorCode.EXECUTION_ERROR, Reason.DEADLINE, errors.StepTimeoutError),
        (ErrorCode.EXECUTION_ERROR, Reason.CRASHED, errors.SessionLostError),
        (ErrorCode.VALIDATION_ERROR, Reason.TOO_LARGE, errors.SessionLostError),
        (ErrorCode.VALIDATION_ERROR, Reason.NO_SNAPSHOT, errors.SnapshotLostError),
        (ErrorCode.SESSION_ERROR, Reason.NO_SNAPSHOT, errors.SnapshotLostError),
    ],
)
def test_codes_and_reasons(code: str, reason: Reason | None, kind: type[Exception]) -> None:
    details = {"reason": reason.value} if reason is not None else {}
    error = error_from_reply(ErrorReply(code, "the message", details))
    assert type(error) is kind
    assert "the message" in str(error)


@given(error_replies)
def test_every_error_reply_is_some_exception(reply: ErrorReply) -> None:
    error = error_from_reply(reply)
    assert isinstance(error, errors.OpenEnvGymError)
    assert reply.message in str(error)
    assert isinstance(reply.ends_session, bool)


def test_the_findings_are_told_field_by_field() -> None:
    findings = [
        {"type": "missing", "loc": ["message"], "msg": "Field required"},
        {"loc": None, "msg": "odd"},
        "not even a dict",
    ]
    error = error_from_reply(ErrorReply(ErrorCode.VALIDATION_ERROR, "Invalid message", {"errors": findings}))
    assert str(error).splitlines() == ["Invalid message", "  message: Field required", "  (whole): odd"]
    assert isinstance(error, errors.InvalidActionError)
    assert error.details["errors"] == findings


@pytest.mark.parametrize(("sent", "read"), [(2, 2), (0.5, 0.5), ("soon", None), (None, None)])
def test_when_to_come_back(sent: object, read: float | None) -> None:
    error = error_from_reply(ErrorReply(ErrorCode.CAPACITY_REACHED, "full", {"retry_after": sent}))
    assert isinstance(error, errors.CapacityError)
    assert error.retry_after == read
