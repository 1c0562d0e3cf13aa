"""What a frame is made of: the entries of both directions, and the words they use."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

PROTOCOL_VERSION = 1
CONTROL = ""
"""Stands where an entry names its session when it concerns the connection."""

MIN_SESSION_ID = 16
MAX_SESSION_ID = 128


class FrameError(ValueError):
    """A frame breaks the protocol's layout or limits; the connection it came on cannot go on."""


class Call(StrEnum):
    """The ops that run on an environment: numbered, answered once, never run twice."""

    RESET = "reset"
    STEP = "step"
    STATE = "state"
    MCP = "mcp"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    RENDER = "render"


class Verb(StrEnum):
    """The ops that concern a session or a connection as such."""

    OPEN = "open"
    CLOSE = "close"
    RESUME = "resume"
    PING = "ping"


class Kind(StrEnum):
    """What a reply is."""

    GREETING = "greeting"
    OPENED = "opened"
    RESUMED = "resumed"
    OUTCOME = "outcome"
    STATE = "state"
    MCP = "mcp"
    SNAPSHOT = "snapshot"
    RESTORED = "restored"
    FRAME = "frame"
    ERROR = "error"  # the call failed, the session lives
    GONE = "gone"  # the session is over, for good
    CLOSED = "closed"
    PONG = "pong"
    DRAINING = "draining"


# Array-like structs decode in C, several times faster than lists that Python takes apart. Elements beyond
# the last field are skipped, so a later version can append. gc=False: an entry lives for one loop turn.


class RequestEntry(msgspec.Struct, array_like=True, gc=False):
    """``[session, seq, op, payload, timeout]``, the last two optional."""

    session: str
    seq: int
    op: str
    payload: Any = None
    timeout: float | None = None


class ReplyEntry(msgspec.Struct, array_like=True, gc=False):
    """``[session, seq, kind, payload]``, the last optional."""

    session: str
    seq: int
    kind: str
    payload: Any = None


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says first on every connection.

    Attributes:
        protocol: The version spoken, 1.
        instance: Names this life of the server: another name means that its sessions are gone.
        capacity: Sessions at once.
        free: Slots free at the moment.
        lease: Seconds a session outlives its connection.
        step_timeout: Seconds a call may take at most.
        open_timeout: Seconds that making an environment may take, once its session has a slot.
        max_frame_bytes: Longest message, in both directions.
        max_entries: Most entries in a message, in both directions.
        window_bytes: Request bytes a client may have unanswered.
        features: Of ``snapshot`` (with ``restore``), ``fork`` and ``render``, what the environment offers.
        siblings: Further servers of the same kind: ports on the same host, or URLs.
        group: What those servers' greetings have in common with this one's, and no others'.
    """

    protocol: int
    instance: str
    capacity: int
    free: int
    lease: float
    step_timeout: float
    open_timeout: float
    max_frame_bytes: int
    max_entries: int
    window_bytes: int
    features: tuple[str, ...] = ()
    siblings: tuple[int | str, ...] = ()
    group: str = ""


FEATURE_OF = {Call.SNAPSHOT: "snapshot", Call.RESTORE: "snapshot", Call.RENDER: "render"}
"""The features without which a server refuses a call."""


def read_greeting(entry: ReplyEntry) -> Greeting:
    """Read the entry that a connection begins with.

    Raises:
        FrameError: It is no greeting, or one of a version that is not spoken here.
    """
    if entry.session != CONTROL or entry.kind != Kind.GREETING:
        raise FrameError(f"the server's first entry is a {entry.kind[:40]!r}, not a greeting")
    try:
        greeting = msgspec.convert(entry.payload, Greeting)
    except msgspec.ValidationError as error:
        raise FrameError(f"the server's greeting is malformed: {error}") from None
    if greeting.protocol != PROTOCOL_VERSION:
        raise FrameError(f"the server speaks version {greeting.protocol}, this side {PROTOCOL_VERSION}")
    smallest = min(greeting.max_frame_bytes - 4095, greeting.max_entries, greeting.window_bytes)
    if not (smallest > 0 and greeting.lease >= 0 and greeting.step_timeout > 0 and greeting.open_timeout > 0):
        raise FrameError("the server's greeting sets limits that allow nothing")
    return greeting
