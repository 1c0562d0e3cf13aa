"""What goes wrong in an environment -> error replies, with the traceback of whatever it raised in the log."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import ValidationError

from openenv_gym.errors import EnvError, InvalidActionError, NotResetError
from openenv_gym.server.jobs import Job
from openenv_gym.server.plain import plain_dict
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason, Request

logger = logging.getLogger(__name__)


def not_made(name: str, error: BaseException) -> ErrorReply:
    """Report that an environment's factory raised.

    Args:
        name: The environment's.
        error: What the factory raised.
    """
    logger.error("%s could not be made", name, exc_info=error)
    details = {"type": type(error).__name__, "factory_name": name}
    return ErrorReply(ErrorCode.FACTORY_ERROR, f"{name} could not be made: {_text(error)}", details)


def failed(name: str, job: Job, error: BaseException) -> ErrorReply:
    """Report that a job raised. Errors of `openenv_gym.errors` are the environment's way to refuse a call.

    Args:
        name: The environment's.
        job: What it was asked.
        error: What it raised.
    """
    match error:
        case NotResetError():
            return ErrorReply(ErrorCode.SESSION_ERROR, str(error), {"reason": Reason.NOT_RESET.value})
        case InvalidActionError():
            details = {"errors": [], **_details(error)}
            return ErrorReply(ErrorCode.VALIDATION_ERROR, str(error), details)
        case EnvError():
            return ErrorReply(error.code, _text(error), {"type": type(error).__name__})
    what = job.op if isinstance(job, Request) else job.method
    logger.error("%s: %s() raised", name, what, exc_info=error)
    return ErrorReply(ErrorCode.EXECUTION_ERROR, _text(error), {"type": type(error).__name__})


def misfit(what: str, error: ValidationError) -> ErrorReply:
    """Report that what a client sent does not fit its model.

    Args:
        what: The message, which says what does not fit.
        error: Pydantic's findings.
    """
    errors = []
    for found in error.errors(include_url=False, include_context=False):
        entry: dict[str, Any] = {"type": found["type"], "loc": list(found["loc"]), "msg": found["msg"]}
        given = found["input"]
        if (
            given is None
            or isinstance(given, bool | int | float)
            or (isinstance(given, str) and len(given) <= 200)
        ):
            entry["input"] = given  # anything larger would send the client's own action back to it
        errors.append(entry)
    return ErrorReply(ErrorCode.VALIDATION_ERROR, what, {"errors": errors})


def unknown_options(unknown: list[str], accepted: tuple[str, ...]) -> ErrorReply:
    """Report options that ``reset`` does not take.

    Args:
        unknown: Their names.
        accepted: The names of those that it takes.
    """
    errors = [{"type": "extra_forbidden", "loc": [name], "msg": "unknown option"} for name in unknown]
    message = f"reset() does not take {', '.join(unknown)}; its options are {', '.join(accepted)}"
    return ErrorReply(ErrorCode.VALIDATION_ERROR, message, {"errors": errors})


def _text(error: BaseException) -> str:
    """Say what was raised, bounded: some exceptions carry whole documents."""
    try:
        message = str(error)
    except Exception:
        logger.exception("str() of a %s failed", type(error).__name__)
        message = "(its message cannot be shown)"
    if len(message) > 10_000:
        message = f"{message[:10_000]}... ({len(message)} characters)"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _details(error: EnvError) -> dict[str, Any]:
    try:
        return plain_dict(error.details, "details")
    except TypeError:
        logger.exception("the details of a %s cannot be sent", type(error).__name__)
        return {}
