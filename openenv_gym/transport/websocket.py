"""A WebSocket connection to a server, by the ``websockets`` library.

Liveness: a ping every 20 s keeps NATs and load balancers from forgetting the connection, but its answer may
take 15 minutes, because a server whose loop is busy with an environment answers late and must not be taken
for dead. A host that is gone is found by TCP after half a minute instead: kernels answer that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed as WebSocketClosed
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.typing import Subprotocol

from openenv_gym.errors import (
    AuthenticationError,
    CapacityError,
    OpenEnvGymError,
    ProtocolError,
    ServerUnreachableError,
    UsageError,
)
from openenv_gym.transport.address import Address, parse_address
from openenv_gym.transport.interface import ConnectionClosed

PING_INTERVAL = 20.0  # seconds
PING_TIMEOUT = 15 * 60.0  # seconds
CLOSE_TIMEOUT = 2.0  # seconds; the peer has been told by then, waiting on only delays us
# Seconds, seconds, probes; and milliseconds, where Linux's default for what was sent is a quarter of an hour.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}

_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)
_MOST_WAITING = 16  # messages that may come before anybody takes them


class _Connection(ClientConnection):
    """Hands over messages as they come; from the library's own queue they come a turn of the loop later.

    Attributes:
        received: Bytes that have come. A large message may take longer than the next sign of life.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received = 0
        self._take: Callable[[bytes], None] | None = None
        self._waiting: deque[bytes] = deque()
        self._fragments = bytearray()
        self._end: asyncio.Future[None] = self.loop.create_future()

    async def forward(self, take: Callable[[bytes], None]) -> None:
        """Hand over messages until the connection is over; raises what ``take`` raises."""
        while self._waiting:
            take(self._waiting.popleft())
        self._take = take
        self.transport.resume_reading()
        try:
            await asyncio.shield(self._end)
        finally:
            self._take = None

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
        elif event.fin and not self._fragments:
            self._deliver(bytes(event.data))
        else:
            self._fragments += event.data
            if event.fin:
                self._deliver(bytes(self._fragments))
                self._fragments.clear()

    def _deliver(self, message: bytes) -> None:
        if self._take is None:
            self._waiting.append(message)
            if len(self._waiting) == _MOST_WAITING:
                self.transport.pause_reading()
            return
        try:
            self._take(message)
        except Exception as error:  # noqa: BLE001 - for whoever forwards
            self._take = None
            self._end.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._end.done():
            self._end.set_result(None)


class WebSocketTransport:
    """An open WebSocket; made by `connect`.

    Attributes:
        subprotocol: The dialect the server agreed to, or ``None``.
    """

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.subprotocol: str | None = connection.subprotocol

    def send(self, message: str | bytes) -> None:
        """Queue one message."""
        # Past the library's own send(), which waits for the socket's buffer.
        protocol = self._connection.protocol
        if protocol.state is not State.OPEN:
            return
        if isinstance(message, str):
            protocol.send_text(message.encode())
        else:
            protocol.send_binary(message)
        for data in protocol.data_to_send():
            self._connection.transport.write(data)

    async def forward(self, take: Callable[[bytes], None]) -> NoReturn:
        """Hand over each message, text as its UTF-8 bytes; see `Transport.forward`."""
        await self._connection.forward(take)
        raise _closed(self._connection.protocol.close_exc)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Perform the closing handshake, for at most `CLOSE_TIMEOUT` seconds."""
        await self._connection.close(code, reason)

    def abort(self) -> None:
        """End the connection without a handshake."""
        self._connection.transport.abort()

    @property
    def progress(self) -> int:
        """Bytes that have come, less those that wait to be sent."""
        return self._connection.received - self._connection.transport.get_write_buffer_size()


async def connect(
    base_url: str,
    *,
    path: str = "/ws",
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    timeout: float | None = 10.0,
    max_size: int | None = 100 * 2**20,
    ping_interval: float | None = PING_INTERVAL,
    ping_timeout: float | None = PING_TIMEOUT,
) -> WebSocketTransport:
    """Open a WebSocket.

    Args:
        base_url: The server, as `parse_address` takes it.
        path: Appended to the server's address.
        token: Sent as ``Authorization: Bearer``.
        headers: Sent along in the handshake.
        subprotocols: Dialects to offer, best first.
        timeout: Seconds for name lookup, TCP, TLS and handshake together; ``None`` waits forever.
        max_size: Largest message accepted, bytes.
        ping_interval: Seconds between pings; ``None`` sends none.
        ping_timeout: Seconds a ping may stay unanswered; ``None`` waits forever.

    Raises:
        UsageError: The address, a header or a proxy setting cannot be used.
        ServerUnreachableError: Nobody answered, or a gateway did in the server's place.
        AuthenticationError: The server refused the token.
        CapacityError: The server is too busy to take the connection.
        ProtocolError: Something answered that is no OpenEnv server.
    """
    address = parse_address(base_url)
    all_headers = dict(headers or {})
    if token is not None:
        all_headers["Authorization"] = f"Bearer {token}"
    _require_printable(all_headers)
    options: dict[str, Any] = {"proxy": None} if address.is_loopback else {}
    if subprotocols:
        options["subprotocols"] = [Subprotocol(name) for name in subprotocols]
    try:
        connection = await websocket_connect(
            address.ws + path,
            additional_headers=all_headers,
            compression=None,  # messages are small and the CPU is what a rollout lacks
            open_timeout=timeout,
            close_timeout=CLOSE_TIMEOUT,
            max_size=max_size,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            create_connection=_Connection,
            **options,
        )
    except (OSError, InvalidHandshake, InvalidURI, ImportError, ValueError) as error:
        raise _refusal(error, address, path, timeout) from None
    assert isinstance(connection, _Connection)
    _keep_alive(connection)
    return WebSocketTransport(connection)


def _require_printable(headers: Mapping[str, str]) -> None:
    """Refuse what would end a header early or cannot be sent, naming the header and never its value."""
    for name, value in headers.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise UsageError(f"the header {name!r} holds characters that HTTP headers cannot carry")


def _keep_alive(connection: ClientConnection) -> None:
    """Let the kernel find a peer that is gone."""
    sock = connection.transport.get_extra_info("socket")
    if sock is None:
        return
    # A proxy's tunnel or another platform may not take an option: the ping then has to do.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _closed(closed: WebSocketClosed) -> ConnectionClosed:
    received, sent = closed.rcvd, closed.sent
    if received is not None and (sent is None or closed.rcvd_then_sent):
        return ConnectionClosed(received.code, received.reason)
    if sent is not None:
        return ConnectionClosed(sent.code, sent.reason, by_us=True)
    return ConnectionClosed(1006, "the connection was cut")


def _refusal(error: Exception, address: Address, path: str, timeout: float | None) -> OpenEnvGymError:
    """Say what a failed connection means; never with headers, tokens or the URL's own credentials."""
    where = address.shown
    if isinstance(error, InvalidStatus):
        return _refused_with_status(error, where, path)
    if isinstance(error, TimeoutError):
        return ServerUnreachableError(
            f"{where} did not answer within {timeout:g} s: check that the server runs, that host and port "
            "are right, and that no firewall is between; or raise connect_timeout_s"
        )
    if isinstance(error, OSError):
        return ServerUnreachableError(
            f"cannot connect to {where} ({_cause(error)}): check that the server runs and that host, port "
            "and http/https are right"
        )
    if isinstance(error, InvalidMessage):
        return ServerUnreachableError(
            f"{where} closed the connection or answered with something that is not HTTP: check the port, and "
            "http against https"
        )
    if isinstance(error, InvalidProxy | ImportError):
        return UsageError(
            f"the proxy that the environment's variables name for {where} cannot be used: check HTTP_PROXY, "
            "HTTPS_PROXY, ALL_PROXY and NO_PROXY (a SOCKS proxy needs the package python-socks)"
        )
    if isinstance(error, InvalidHandshake):
        return ProtocolError(f"{where} answered, but did not open a WebSocket at {path}: {error}")
    return UsageError(f"cannot connect to {where}: {type(error).__name__}")


def _refused_with_status(error: InvalidStatus, where: str, path: str) -> OpenEnvGymError:
    status = error.response.status_code
    if status in (401, 403, 407):
        return AuthenticationError(
            f"{where} refused the connection (HTTP {status}): pass token= (the server's OPENENV_GYM_TOKEN)"
        )
    if status in (429, 503):
        after = error.response.headers.get("Retry-After", "")
        return CapacityError(
            f"{where} is too busy to take a session (HTTP {status})",
            float(after) if after.isdecimal() else None,
        )
    if status >= 500:
        return ServerUnreachableError(f"{where} answered HTTP {status}: check the server's log")
    return ProtocolError(
        f"{where} answered HTTP {status} at {path}: check that base_url is an OpenEnv server, with its "
        "path prefix"
    )


def _cause(error: OSError) -> str:
    """Shorten what asyncio says of several addresses, which repeats the cause for each."""
    if error.errno is not None and error.strerror and not error.strerror.startswith("Connect call failed"):
        return error.strerror
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
