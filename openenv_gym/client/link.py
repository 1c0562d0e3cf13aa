"""What the two faces of a client share: one session, its server, and two ways to wait for the I/O thread."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from functools import partial
from typing import Any

from openenv_gym.client.channel import Connector
from openenv_gym.client.io_thread import IoThread, io_thread
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import ClosedError, ConcurrentCallError, SessionLostError
from openenv_gym.providers.abandoned import free_in_background
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.wire.messages import Request


class Link:
    """A client's session, and the server it may have to start first.

    Methods come in pairs: ``call`` blocks, ``acall`` awaits on the caller's own loop.

    Args:
        name: Of the client, for messages.
        endpoint: The server, when it runs already.
        provider: Starts the server at the first use; stopped on closing.
        spec: What the provider starts.
        connector: Opens the connection.
        connect_timeout: Seconds connecting may take; ``None`` waits forever.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: Endpoint | None,
        provider: Provider | None = None,
        spec: ServerSpec | None = None,
        connector: Connector,
        connect_timeout: float | None,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self._provider = provider
        self._spec = spec
        self._connector = connector
        self._connect_timeout = connect_timeout
        self._owner: Link | None = None  # kept, because the server ends when its owner is forgotten
        self._session: RemoteSession | None = None
        self._io: IoThread | None = None
        self._starting = threading.Lock()
        self._making = threading.Lock()
        self._busy = threading.Lock()
        self._pid = os.getpid()
        self._closed = False

    def sibling(self) -> Link:
        """A link of its own session to the same, running server; it never stops that server."""
        link = Link(
            self.name,
            endpoint=self._start_server(),
            connector=self._connector,
            connect_timeout=self._connect_timeout,
        )
        link._owner = self
        return link

    async def asibling(self) -> Link:
        """Do what `sibling` does."""
        await self._astart_server()
        return self.sibling()

    def fork(self, snapshot: str, timeout: float | None) -> Link:
        """A link like `sibling`'s whose session begins where this one's was; see `RemoteSession.fork`."""
        io = io_thread()
        session = self._make_session(io, self._start_server())
        return self._twin(io, io.run(session.fork(snapshot, timeout)))

    async def afork(self, snapshot: str, timeout: float | None) -> Link:
        """Do what `fork` does."""
        io = io_thread()
        session = self._make_session(io, await self._astart_server())
        return self._twin(io, await io.arun(session.fork(snapshot, timeout)))

    def _twin(self, io: IoThread, session: RemoteSession) -> Link:
        twin = self.sibling()
        twin._session, twin._io = session, io
        return twin

    # --- calls -----------------------------------------------------------------------------------------

    def call(self, request: Request, timeout: float | None) -> Any:
        """Make a call and block for its reply; raises the error it ends with."""
        io = io_thread()
        session = self._session
        if session is None or io is not self._io:
            session = self._make_session(io, self._start_server())
        with self._turn(request):
            return io.call(partial(session.start, request, timeout), session.give_up)

    async def acall(self, request: Request, timeout: float | None) -> Any:
        """Make a call and await its reply; cancelling gives the session up."""
        io = io_thread()
        session = self._session
        if session is None or io is not self._io:
            session = self._make_session(io, await self._astart_server())
        with self._turn(request):
            return await io.acall(partial(session.start, request, timeout), session.give_up)

    def connect(self) -> None:
        """Start the server if it is ours to start, and connect."""
        io = io_thread()
        io.run(self._make_session(io, self._start_server()).connect())

    async def aconnect(self) -> None:
        """Do what `connect` does."""
        io = io_thread()
        await io.arun(self._make_session(io, await self._astart_server()).connect())

    def disconnect(self) -> None:
        """End the connection, and the episode with it; a ``reset`` opens a new one."""
        if (session := self._mine()) is not None:
            io_thread().run(session.disconnect())

    async def adisconnect(self) -> None:
        """Do what `disconnect` does."""
        if (session := self._mine()) is not None:
            await io_thread().arun(session.disconnect())

    def close(self) -> None:
        """End the session and stop the server if it is ours. Bounded; safe to call twice."""
        self._closed = True
        try:
            if (session := self._mine()) is not None:
                io_thread().run(session.close())
        finally:
            self._stop_server()

    async def aclose(self) -> None:
        """Do what `close` does; a cancellation does not leave the server running."""
        self._closed = True
        try:
            if (session := self._mine()) is not None:
                await io_thread().arun(session.close())
        finally:
            if self._provider is not None:
                await asyncio.shield(asyncio.to_thread(self._stop_server))

    def __del__(self) -> None:
        if self._closed:
            return
        left = []
        session, provider = self._mine(), self._provider
        if session is not None and session.is_open:
            io_thread().submit(session.close())
            left.append("session")
        if provider is not None and self.endpoint is not None and self._pid == os.getpid():
            free_in_background(provider.stop)
            left.append("server")
        if left:  # last: whoever makes it an error must not stop the rest
            text = f"unclosed {self.name}, with a {' and a '.join(left)}: use `with`, or call close()"
            warnings.warn(text, ResourceWarning, stacklevel=1)

    # --- inside ----------------------------------------------------------------------------------------

    def _turn(self, request: Request) -> threading.Lock:
        """Refuse a second call on the caller's side: on the I/O thread the first may be over by then.

        Returns:
            What to hold during the call. An interrupt finds a lock's own ``with`` not begun or undone.
        """
        busy = self._busy
        if busy.locked():
            raise ConcurrentCallError(
                f"{request.op}() was called while another call of this client is running; await each call, "
                "or open one client a rollout"
            )
        return busy

    def _mine(self) -> RemoteSession | None:
        """The session, unless there is none, it is a forked parent's, or its thread has ended."""
        return self._session if self._io is not None and self._io.is_mine else None

    def _make_session(self, io: IoThread, endpoint: Endpoint) -> RemoteSession:
        """Return this process's session."""
        if self._closed:
            raise ClosedError(f"{self.name} is closed; make a new one")
        with self._making:
            if self._session is None or self._io is not io:
                inherited = self._session
                session = RemoteSession(self._connector, endpoint, connect_timeout=self._connect_timeout)
                if inherited is not None and not inherited.is_fresh:
                    session.lose(SessionLostError("the process was forked; the session stayed in its parent"))
                self._session, self._io, self._busy = session, io, threading.Lock()
            return self._session

    def _start_server(self) -> Endpoint:
        if self.endpoint is None:
            with self._starting:
                if self._closed:
                    raise ClosedError(f"{self.name} is closed; make a new one")
                if self.endpoint is None:
                    assert self._provider is not None and self._spec is not None
                    self.endpoint = self._provider.start(self._spec)
        return self.endpoint

    async def _astart_server(self) -> Endpoint:
        if self.endpoint is None:
            try:
                return await asyncio.to_thread(self._start_server)
            except asyncio.CancelledError:
                await self.aclose()
                raise
        return self.endpoint

    def _stop_server(self) -> None:
        if self._provider is not None and self._pid == os.getpid():
            self._provider.stop()
