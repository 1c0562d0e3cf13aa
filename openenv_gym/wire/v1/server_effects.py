"""What a server's machine asks its I/O to do."""

from __future__ import annotations

from typing import Any

import msgspec

from openenv_gym.wire.v1.entries import Call


class OpenSession(msgspec.Struct, frozen=True, gc=False):
    """Construct an environment; answered by ``ServerMachine.opened`` or ``open_failed``.

    Attributes:
        session: The session's id, a secret.
        timeout: Seconds it may take.
        parent: The session to fork from, which is open; ``None`` for a fresh environment.
        snapshot: The parent's snapshot to start from; ``None`` without a parent.
    """

    session: str
    timeout: float
    parent: str | None = None
    snapshot: str | None = None


class RunCall(msgspec.Struct, frozen=True, gc=False):
    """Run a call on an open session; answered by ``ServerMachine.finished``.

    Attributes:
        session: The session's id.
        call: What to run.
        payload: Its arguments: for ``snapshot`` empty, for ``restore`` ``{"snapshot": handle}``, for
            ``render`` ``{"mode": mode}``, for the others a request's payload.
        timeout: Seconds it may take.
    """

    session: str
    call: Call
    payload: dict[str, Any]
    timeout: float


class CloseSession(msgspec.Struct, frozen=True, gc=False):
    """Close an environment, whatever it is doing; answered by ``ServerMachine.closed`` and nothing else.

    Attributes:
        session: The session's id.
        why: For the log.
    """

    session: str
    why: str


Effect = OpenSession | RunCall | CloseSession
