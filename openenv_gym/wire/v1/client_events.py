"""What a client's machine reports to its I/O."""

from __future__ import annotations

from typing import Any

import msgspec

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.wire.messages import ErrorReply, Reply
from openenv_gym.wire.v1.entries import Greeting


class Greeted(msgspec.Struct, frozen=True):
    """The connection is up, and everything unanswered is being sent (again).

    Attributes:
        greeting: The server's terms.
        same_server: Whether it is the server of before; if not, its sessions are reported `Gone`.
    """

    greeting: Greeting
    same_server: bool


class Opened(msgspec.Struct, frozen=True):
    """A session is open.

    Attributes:
        session: The session's id.
        free: Slots that the server still has free, if it said so.
    """

    session: str
    free: int | None


class Replied(msgspec.Struct, frozen=True, gc=False):
    """The running call is answered, and the session lives."""

    session: str
    answer: Reply


class Gone(msgspec.Struct, frozen=True):
    """A session is over, or could not be opened; nothing else will be reported of it.

    Attributes:
        session: The session's id.
        cause: What its user is to be told. Nothing of the server's: its restart, or this side's patience.
        reply: What the server said, if it did; the cause is made from it.
    """

    session: str
    cause: OpenEnvGymError
    reply: ErrorReply | None = None


class Closed(msgspec.Struct, frozen=True):
    """A session that its user closed is closed at the server too, or its server is gone."""

    session: str


class Ponged(msgspec.Struct, frozen=True):
    """A ping came back."""

    payload: Any


class Draining(msgspec.Struct, frozen=True):
    """The server is about to stop: open new sessions elsewhere.

    Attributes:
        retry_after: Seconds after which it may be back, if it said so.
    """

    retry_after: float | None


Event = Greeted | Opened | Replied | Gone | Closed | Ponged | Draining
