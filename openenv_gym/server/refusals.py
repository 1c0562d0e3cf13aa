"""Why a client gets no session: the exception that says so, and the replies to answer with."""

from __future__ import annotations

from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason

RETRY_AFTER = 5.0
"""Seconds after which a client refused for capacity may sensibly try again."""


class SessionRefused(Exception):
    """A session could not be opened, attached or found; ``reply`` is the answer the client deserves."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def at_capacity(active: int, capacity: int, limit: int) -> ErrorReply:
    """Say that every slot is taken.

    Args:
        active: Sessions that hold a slot.
        capacity: Slots.
        limit: How many of them the refused session may compete for.
    """
    message = f"Server at capacity: {active} of {capacity} sessions are open"
    if limit < capacity:
        message += f", among them all {limit} that HTTP may have"
    details = {"active_sessions": active, "max_sessions": capacity, "retry_after": RETRY_AFTER}
    return ErrorReply(ErrorCode.CAPACITY_REACHED, message, details)


def draining() -> ErrorReply:
    """Say that the server takes no session and no call any more."""
    details = {"reason": Reason.DRAINING.value, "retry_after": RETRY_AFTER}
    return ErrorReply(ErrorCode.SESSION_ERROR, "the server is shutting down", details)


def session_error(message: str, reason: Reason | None = None) -> ErrorReply:
    """Say what is wrong with the session that a client means."""
    return ErrorReply(ErrorCode.SESSION_ERROR, message, {} if reason is None else {"reason": reason.value})
