"""What a server says for the whole connection -> the event a client makes of it."""

from __future__ import annotations

from openenv_gym.wire.v1.client_events import Draining, Ponged
from openenv_gym.wire.v1.entries import FrameError, Kind, ReplyEntry


def read_notice(entry: ReplyEntry) -> Draining | Ponged | None:
    """Read an entry that concerns the connection; ``None`` for a kind of a later version.

    Raises:
        FrameError: The server complains of the connection, or greets again.
    """
    if entry.kind == Kind.PONG:
        return Ponged(entry.payload)
    if entry.kind == Kind.DRAINING:
        retry_after = entry.payload.get("retry_after") if isinstance(entry.payload, dict) else None
        return Draining(retry_after if isinstance(retry_after, int | float) else None)
    if entry.kind in (Kind.ERROR, Kind.GREETING):
        raise FrameError(f"the server sent a {entry.kind} for the connection: {str(entry.payload)[:200]}")
    return None
