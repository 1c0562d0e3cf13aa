"""Keeps session ids out of the request lines that uvicorn logs: whoever knows an id owns the session."""

from __future__ import annotations

import logging
import re

_SESSION_ID = re.compile(r"(session_id=)[^&\s\"']+")
_LOGGERS_OF_REQUEST_LINES = ("uvicorn.access", "uvicorn.error")


class _SessionIdFilter(logging.Filter):
    """Rewrites records instead of dropping them."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "session_id=" in text:
            record.msg, record.args = _SESSION_ID.sub(r"\1***", text), None
        return True


_FILTER = _SessionIdFilter()


def hide_session_ids() -> None:
    """Filter uvicorn's loggers, from whichever program runs it; calling it again changes nothing."""
    for name in _LOGGERS_OF_REQUEST_LINES:
        logging.getLogger(name).addFilter(_FILTER)
