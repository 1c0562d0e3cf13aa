"""The seam between sessions and dialects: one session's way to its server.

`RemoteSession` and `SessionPool` know only these two interfaces. A dialect that carries many sessions on one
connection implements them with channels that share it and flush their requests together; nothing above
changes. All methods run on the I/O thread's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Reply, Request

OnReply = Callable[[Reply], None]
OnLost = Callable[[OpenEnvGymError], None]


class Channel(Protocol):
    """One open session at a server. At most one call is in flight.

    Attributes:
        keeps_deadlines: A call whose reply does not come in time ends by the channel's own doing, with an
            error reply or through ``on_lost``. Otherwise whoever calls watches the clock.
    """

    @property
    def keeps_deadlines(self) -> bool:
        """See above."""
        ...

    def send(self, request: Request, timeout: float | None) -> None:
        """Queue a request; its reply goes to the channel's ``on_reply``.

        Args:
            request: The request.
            timeout: Seconds it may take; ``None`` leaves that to the server.

        Raises:
            TypeError: The dialect has no form for a value in the payload; nothing was sent.
            ValueError: The payload contains itself, or text that is not Unicode; nothing was sent.
            NotSupportedError: The dialect has no word for the op, or the environment does not offer it;
                nothing was sent.
        """
        ...

    async def fork(self, snapshot: str, timeout: float | None, on_reply: OnReply, on_lost: OnLost) -> Channel:
        """Open another session at the same server, where this one was; a call may be running meanwhile.

        Args:
            snapshot: The handle of a snapshot of this session.
            timeout: Seconds it may take, waiting for a slot included.
            on_reply: See `Connector.open`.
            on_lost: See `Connector.open`.

        Raises:
            NotSupportedError: The dialect, or the environment, has no forks.
            SnapshotLostError: The session keeps no such snapshot.
            PeerError: No session could be opened.
        """
        ...

    def abort(self) -> None:
        """Drop the session at once and without a word: its server is gone. Nothing is reported any more."""
        ...

    def close(self, *, orderly: bool) -> asyncio.Future[None]:
        """End the session at the server and free its slot; from now on nothing is reported.

        Args:
            orderly: Say goodbye and wait until the server has let go, so that the slot is free afterwards.
                Without effect where a call runs and the server would not listen before its end.

        Returns:
            Ends, in bounded time, when the connection is gone; never raises. Calling again returns it again.
        """
        ...


class Visit(Protocol):
    """A server that was reached. Until `leave`, its connection is kept open, even for no session.

    What it tells is the latest that the server said; one that speaks OpenEnv's dialect says none of it.
    """

    @property
    def room(self) -> int | None:
        """Slots that are free or ours."""
        ...

    @property
    def free(self) -> int | None:
        """Slots that are free, those left out for which sessions of ours are being opened."""
        ...

    @property
    def instance(self) -> str:
        """Names this life of the server, and no other server's."""
        ...

    @property
    def group(self) -> str:
        """What the server has in common with its siblings alone; empty where it has none."""
        ...

    @property
    def siblings(self) -> tuple[Endpoint, ...]:
        """Further servers of the same environment, as far as they may be used (see `siblings.follow`)."""
        ...

    def leave(self) -> None:
        """End the visit; to be called once."""
        ...


class Connector(Protocol):
    """Opens channels in one dialect."""

    async def open(
        self, endpoint: Endpoint, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> Channel:
        """Open a session.

        Args:
            endpoint: The server.
            timeout: Seconds it may take.
            on_reply: Gets the reply to each request.
            on_lost: Gets the reason, once, when the session ends by anything but `Channel.close`.

        Raises:
            PeerError: It could not be opened.
        """
        ...

    async def visit(self, endpoint: Endpoint, timeout: float | None) -> Visit:
        """Reach a server and learn what it says of itself before any session is opened.

        Args:
            endpoint: The server.
            timeout: Seconds it may take.

        Raises:
            PeerError: It cannot be reached.
        """
        ...

    def forget(self, endpoint: Endpoint, why: str) -> None:
        """Drop what there is to a server that is gone; what waits for it ends with an error that says why."""
        ...
