"""Waits until a server answers: one probe, with backoff and a deadline."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from openenv_gym.providers.endpoint import Endpoint

_FIRST_PAUSE = 0.02  # seconds
_LONGEST_PAUSE = 0.5
_PAUSE_SHARE = 0.1  # of the time waited so far: what is noticed too late then costs at most so much more
_LONGEST_ATTEMPT = 2.0
_TELLING_ATTEMPT = 0.5  # one that the deadline cuts shorter says little of the server


def wait_until_ready(endpoint: Endpoint, *, timeout: float, ended: Callable[[float], bool]) -> str | None:
    """Ask ``GET /health`` until it is answered with 200.

    Args:
        endpoint: Whom to ask. No proxy is used.
        timeout: Seconds after which to give up.
        ended: Called between attempts with a number of seconds; returns True as soon as the server has ended
            for good, and False if it still runs after so long.

    Returns:
        ``None`` when the server is ready, else what the last telling attempt met, for a message.
    """
    begin = time.monotonic()
    deadline = begin + timeout
    problem: str | None = None
    while True:
        left = deadline - time.monotonic()
        met = probe(endpoint, max(min(left, _LONGEST_ATTEMPT), 0.001))
        if met is None or problem is None or left >= _TELLING_ATTEMPT:
            problem = met
        now = time.monotonic()
        left = deadline - now
        pause = min(max(_FIRST_PAUSE, _PAUSE_SHARE * (now - begin)), _LONGEST_PAUSE)
        if ended(0.0 if problem is None else max(min(pause, left), 0.0)):
            return problem or "it ended after it had answered"
        if problem is None or left <= 0:
            return problem


def probe(endpoint: Endpoint, timeout: float) -> str | None:
    """Ask ``GET /health`` once; return ``None`` when it was answered with 200, else what it met.

    Args:
        endpoint: Whom to ask. No proxy is used.
        timeout: Seconds that each wait for the server may take.
    """
    address = urlsplit(endpoint.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    headers = {} if endpoint.token is None else {"Authorization": f"Bearer {endpoint.token}"}
    try:
        connection.request("GET", "/health", headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if status == http.client.OK else f"GET /health was answered with {status}"
