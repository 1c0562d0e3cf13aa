"""The errors that a server's machine answers with itself, before any environment is asked."""

from __future__ import annotations

from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason
from openenv_gym.wire.v1.entries import Call


def gone(message: str = "there is no such session: it was closed, or its lease is over") -> ErrorReply:
    """The session is over, or never was."""
    return ErrorReply(ErrorCode.SESSION_ERROR, message, {"reason": Reason.CLOSED.value})


def draining(retry_after: float) -> ErrorReply:
    """The server is shutting down."""
    details = {"reason": Reason.DRAINING.value, "retry_after": retry_after}
    return ErrorReply(ErrorCode.SESSION_ERROR, "the server is shutting down", details)


def full(capacity: int, waiting: int, retry_after: float) -> ErrorReply:
    """Every slot is taken, and so is the queue, or its patience is over."""
    message = f"Server at capacity: all {capacity} sessions are open and {waiting} wait for a slot"
    details = {"max_sessions": capacity, "waiting": waiting, "retry_after": retry_after}
    return ErrorReply(ErrorCode.CAPACITY_REACHED, message, details)


def busy(op: str) -> ErrorReply:
    """A call came before the last one's reply went."""
    message = f"{op[:40]}() while another call of this session is running"
    return ErrorReply(ErrorCode.SESSION_ERROR, message, {"reason": Reason.BUSY.value})


def out_of_order(op: str, seq: int, expected: int) -> ErrorReply:
    """A number was left out, or an op does not belong in an open session."""
    message = f"{op[:40]} as request {seq} is out of order: the session expects call {expected}"
    return ErrorReply(ErrorCode.VALIDATION_ERROR, message)


def unknown_op(op: str) -> ErrorReply:
    """The op is none."""
    return ErrorReply(ErrorCode.UNKNOWN_TYPE, f"Unknown op: {op[:40]} (known: {', '.join(Call)})")


def not_offered(what: str) -> ErrorReply:
    """The op is one that this server's greeting does not name."""
    return ErrorReply(ErrorCode.UNKNOWN_TYPE, f"this environment offers no {what}")


def not_offered_at_all(what: str) -> ErrorReply:
    """An open asks for something that this server's greeting does not name."""
    return gone(f"this environment offers no {what}")


def not_an_object(op: str) -> ErrorReply:
    """The payload is of the wrong kind."""
    return ErrorReply(ErrorCode.VALIDATION_ERROR, f"the payload of {op[:40]} is a map of names to values")


def unsendable(why: str, *, last: bool) -> ErrorReply:
    """The environment's answer does not fit on the wire.

    Args:
        why: What is wrong with it.
        last: Whether the answer was the session's last.
    """
    details = {"reason": Reason.CLOSED.value} if last else {}
    return ErrorReply(ErrorCode.EXECUTION_ERROR, f"the environment's reply cannot be sent: {why}", details)
