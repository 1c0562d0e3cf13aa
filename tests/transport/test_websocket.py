"""The WebSocket transport against real servers, kind ones and others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from openenv_gym.errors import (
    AuthenticationError,
    CapacityError,
    OpenEnvGymError,
    ProtocolError,
    ServerUnreachableError,
    UsageError,
)
from openenv_gym.transport import ConnectionClosed
from openenv_gym.transport.websocket import WebSocketTransport, connect

TOKEN = "s3cret-t0ken"
Handler = Callable[[ServerConnection], Awaitable[None]]
Answer = Callable[[ServerConnection, Request], Response | None]


@contextlib.asynccontextmanager
async def websocket_server(handler: Handler, answer: Answer | None = None) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, process_request=answer, max_size=None) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def tcp_server(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


class Receiver:
    """A transport whose messages are asked for one by one."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self.transport = transport
        self._came: asyncio.Queue[bytes | ConnectionClosed] = asyncio.Queue()
        self._forwarding = asyncio.create_task(self._forward())

    async def _forward(self) -> None:
        try:
            await self.transport.forward(self._came.put_nowait)
        except ConnectionClosed as closed:
            self._came.put_nowait(closed)

    async def recv(self) -> bytes:
        message = await self._came.get()
        if isinstance(message, ConnectionClosed):
            self._came.put_nowait(message)
            raise message
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


@contextlib.asynccontextmanager
async def connected(url: str, **options: object) -> AsyncIterator[Receiver]:
    transport = await connect(url, **options)  # type: ignore[arg-type]
    try:
        yield Receiver(transport)
    finally:
        await transport.close()


async def echo(peer: ServerConnection) -> None:
    async for message in peer:
        await peer.send(message)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_messages_there_and_back() -> None:
    async with websocket_server(echo) as url, connected(url) as transport:
        transport.send("日本語")
        transport.send(b"\x00\xff")
        assert await transport.recv() == "日本語".encode()
        assert await transport.recv() == b"\x00\xff"
        large = "x" * 2_000_000
        transport.send(large)
        assert len(await transport.recv()) == len(large)


async def test_a_message_in_fragments_is_one_message() -> None:
    async def send_in_parts(peer: ServerConnection) -> None:
        await peer.send([b"", b"one ", b"", b"whole"])
        await peer.send([b"", b""])
        await peer.send(b"message")
        await peer.wait_closed()

    async with websocket_server(send_in_parts) as url, connected(url) as transport:
        assert [await transport.recv() for _ in range(3)] == [b"one whole", b"", b"message"]


async def test_what_came_before_anybody_took_it_is_not_lost() -> None:
    numbers = [b"%d" % number for number in range(100)]

    async def count(peer: ServerConnection) -> None:
        for number in numbers:
            await peer.send(number)
        await peer.close(1000, "that was all")

    async with websocket_server(count) as url:
        transport = await connect(url)
        while transport.progress < 50:  # noqa: ASYNC110 - nothing tells of messages that nobody takes
            await asyncio.sleep(0.001)
        taken: list[bytes] = []
        with pytest.raises(ConnectionClosed, match="that was all"):
            await transport.forward(taken.append)
    assert taken == numbers


async def test_what_the_taker_raises_ends_the_forwarding() -> None:
    taken: list[bytes] = []

    def take(message: bytes) -> None:
        taken.append(message)
        raise LookupError(message)

    async with websocket_server(echo) as url:
        transport = await connect(url)
        transport.send(b"one")
        transport.send(b"two")
        with pytest.raises(LookupError, match="one"):
            await transport.forward(take)
        assert taken == [b"one"]
        await transport.close()


async def test_the_handshake_says_who_asks_and_for_what() -> None:
    seen: list[Request] = []

    def answer(peer: ServerConnection, request: Request) -> None:
        seen.append(request)

    async with (
        websocket_server(echo, answer) as url,
        connected(f"{url}/prefix/", token=TOKEN, headers={"X-Run": "7"}),
    ):
        headers = seen[0].headers
    assert seen[0].path == "/prefix/ws"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["X-Run"] == "7"
    assert "Sec-WebSocket-Extensions" not in headers  # no compression
    assert "Sec-WebSocket-Protocol" not in headers


async def test_a_dialect_is_negotiated() -> None:
    async with serve(echo, "127.0.0.1", 0, subprotocols=["b", "a"]) as server:  # type: ignore[list-item]
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connected(url, subprotocols=["a"]) as transport:
            assert transport.subprotocol == "a"
    async with websocket_server(echo) as url, connected(url, subprotocols=["a"]) as transport:
        assert transport.subprotocol is None


async def test_the_kernel_watches_the_connection() -> None:
    async with websocket_server(echo) as url, connected(url) as transport:
        sock = transport.transport._connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


# --- the end of a connection ---------------------------------------------------------------------------


async def test_what_the_server_says_last_is_received_and_then_its_goodbye() -> None:
    async def handler(peer: ServerConnection) -> None:
        await peer.send("no slot free")
        await peer.close(1013, "try later")

    async with websocket_server(handler) as url, connected(url) as transport:
        transport.send("hello?")
        assert await transport.recv() == b"no slot free"
        with pytest.raises(ConnectionClosed) as closed:
            await transport.recv()
        assert (closed.value.code, closed.value.reason, closed.value.by_us) == (1013, "try later", False)


async def test_a_cut_connection_is_told_from_a_closed_one() -> None:
    async def handler(peer: ServerConnection) -> None:
        await peer.recv()
        peer.transport.abort()

    async with websocket_server(handler) as url, connected(url) as transport:
        transport.send("cut me")
        with pytest.raises(ConnectionClosed) as closed:
            await transport.recv()
        assert closed.value.code == 1006
        transport.send("nobody hears this")
        with pytest.raises(ConnectionClosed):
            await transport.recv()


async def test_a_message_beyond_the_limit_ends_the_connection_by_us() -> None:
    async def handler(peer: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await peer.send("x" * 5000)
            await peer.wait_closed()

    async with websocket_server(handler) as url, connected(url, max_size=1000) as transport:
        with pytest.raises(ConnectionClosed) as closed:
            await transport.recv()
        assert closed.value.code == 1009
        assert closed.value.by_us


async def test_closing_does_not_wait_for_a_peer_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openenv_gym.transport.websocket.CLOSE_TIMEOUT", 0.05)
    release = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A server that is stopped right after its handshake.
        from websockets.server import ServerProtocol

        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        for event in protocol.events_received():
            protocol.send_response(protocol.accept(event))  # type: ignore[arg-type]
        writer.write(b"".join(protocol.data_to_send()))
        await release.wait()

    async with tcp_server(deaf) as url:
        transport = await connect(url)
        await transport.close()
        await transport.close()
        release.set()


# --- no connection at all ------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    port = unused_port()
    with pytest.raises(
        ServerUnreachableError, match=rf"http://127.0.0.1:{port} \(.*refused.*check"
    ) as refused:
        await connect(f"127.0.0.1:{port}", token=TOKEN)
    assert isinstance(refused.value, ConnectionError)


async def test_the_host_is_unknown() -> None:
    with pytest.raises(ServerUnreachableError, match=r"no-such-host\.invalid"):
        await connect("http://no-such-host.invalid:8000")


async def test_nobody_answers_in_time() -> None:
    release = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()

    async with tcp_server(silent) as url:
        with pytest.raises(ServerUnreachableError, match=r"within 0.05 s.*connect_timeout_s"):
            await connect(url, timeout=0.05)
        release.set()


@pytest.mark.parametrize("first_bytes", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x16"])
async def test_another_protocol_listens(first_bytes: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first_bytes)
        await writer.drain()

    async with tcp_server(other) as url:
        with pytest.raises(ServerUnreachableError, match="check"):
            await connect(url)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, ProtocolError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, ProtocolError),
        (429, CapacityError),
        (500, ServerUnreachableError),
        (502, ServerUnreachableError),
        (503, CapacityError),
    ],
)
async def test_the_server_refuses_the_handshake(status: int, kind: type[OpenEnvGymError]) -> None:
    def answer(peer: ServerConnection, request: Request) -> Response:
        response = peer.respond(HTTPStatus(status), "no\n")
        response.headers["Retry-After"] = "3"
        return response

    async with websocket_server(echo, answer) as url:
        with pytest.raises(OpenEnvGymError) as refused:
            await connect(url.replace("//", "//user:hunter2@"), token=TOKEN, headers={"X-Key": "k3y"})
    assert type(refused.value) is kind
    assert str(status) in str(refused.value)
    for secret in (TOKEN, "hunter2", "k3y"):
        assert secret not in str(refused.value)
        assert secret not in repr(refused.value.__cause__)
    if isinstance(refused.value, CapacityError):
        assert refused.value.retry_after == 3.0


@pytest.mark.parametrize("value", ["line\r\nX-Evil: 1", "tab\t", "日本語", "nul\0"])
async def test_headers_that_would_break_out_are_refused_unsent(value: str) -> None:
    with pytest.raises(UsageError, match="X-Key") as refused:
        await connect("http://127.0.0.1:1", headers={"X-Key": value})
    assert value not in str(refused.value)
    with pytest.raises(UsageError, match="Authorization"):
        await connect("http://127.0.0.1:1", token=value)


# --- proxies -------------------------------------------------------------------------------------------


@pytest.fixture
def proxy_seen() -> list[bytes]:
    return []


@pytest.fixture
async def proxy(proxy_seen: list[bytes], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """An HTTP proxy in the environment's variables, which notes what it is asked and refuses."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy_seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with tcp_server(handle) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
        yield


@pytest.mark.usefixtures("proxy")
async def test_no_proxy_comes_between_us_and_this_machine(proxy_seen: list[bytes]) -> None:
    async with websocket_server(echo) as url, connected(url) as transport:
        transport.send("direct")
        assert await transport.recv() == b"direct"
    assert proxy_seen == []


@pytest.mark.usefixtures("proxy")
async def test_a_proxy_is_used_for_other_machines(proxy_seen: list[bytes]) -> None:
    with pytest.raises(OpenEnvGymError, match=r"env\.example\.invalid"):
        await connect("https://env.example.invalid")
    assert proxy_seen == [b"CONNECT env.example.invalid:443 HTTP/1.1\r\n"]


async def test_progress_counts_a_message_that_is_still_coming() -> None:
    more = asyncio.Event()

    async def dribble(peer: ServerConnection) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x" * 100
            await more.wait()
            yield b"y" * 100

        await peer.recv()
        await peer.send(parts())
        await peer.wait_closed()

    async with websocket_server(dribble) as url, connected(url) as transport:
        before = transport.progress
        transport.send("go")
        receiving = asyncio.create_task(transport.recv())
        while transport.progress < before + 100:  # noqa: ASYNC110 - nothing tells of an unfinished message
            await asyncio.sleep(0.001)
        more.set()
        assert len(await receiving) == 200


async def test_an_aborted_connection_is_over_at_once() -> None:
    gone = asyncio.Event()

    async def wait(peer: ServerConnection) -> None:
        await peer.wait_closed()
        gone.set()

    async with websocket_server(wait) as url:
        transport = await connect(url)
        transport.abort()
        with pytest.raises(ConnectionClosed) as closed:
            await transport.forward(print)
        assert closed.value.code == 1006
        await asyncio.wait_for(gone.wait(), 30)
