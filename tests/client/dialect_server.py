"""A small server of OpenEnv's dialect that does what a step's action tells it, the forbidden included.

Actions: ``{"say": text}`` echoes; ``{"do": ...}`` misbehaves, see `DialectServer`. It serves memory
transports (`MemoryConnector`) and real WebSockets (`serving`) alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed as WebSocketClosed

from openenv_gym.client.channel import OnLost, OnReply
from openenv_gym.client.openenv_channel import OpenEnvChannel
from openenv_gym.client.visits import SilentVisit
from openenv_gym.errors import ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.interface import ConnectionClosed
from openenv_gym.transport.memory import MemoryTransport, memory_pair
from openenv_gym.wire import openenv
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Outcome, Reply, Request, StateReply
from openenv_gym.wire.server_session import ServerSession

T = TypeVar("T")


class Peer(Protocol):
    """A client, as the server sees it."""

    async def send(self, frame: str) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def close(self, code: int) -> None: ...
    async def cut(self) -> None: ...


class DialectServer:
    """Echo with a bad side.

    ``{"do": "hang"}`` never answers; ``"cut"`` drops the connection; ``"close", "code": c`` closes it;
    ``"raw", "frames": [...]`` sends frames as they are; ``"error", "code": c, "details": {...}`` answers an
    error; ``"end"`` and ``"limit"`` end the episode.

    Args:
        capacity: Sessions at a time; more are refused as OpenEnv refuses them.
        goodbye: Seconds an environment takes to close.

    Attributes:
        live: Sessions now.
        opened: Sessions so far.
        heard: Every request, in order.
        refusal: Sent to each new session instead of serving it.
    """

    def __init__(self, *, capacity: int = 1000, goodbye: float = 0.0) -> None:
        self.capacity = capacity
        self.goodbye = goodbye
        self.live = 0
        self.opened = 0
        self.heard: list[Request] = []
        self.refusal: ErrorReply | None = None

    async def serve(self, peer: Peer) -> None:
        """Hold one session."""
        refusal = self.refusal
        if self.live >= self.capacity:
            refusal = ErrorReply(ErrorCode.CAPACITY_REACHED, "server at capacity")
        if refusal is not None:
            await peer.send(openenv.encode_reply(refusal))
            await peer.close(1000)
            return
        self.live += 1
        self.opened += 1
        session = ServerSession(lenient=True)
        try:
            while await self._answer_one(peer, session):
                pass
        except (ConnectionClosed, WebSocketClosed):
            pass
        finally:
            if self.goodbye:
                await asyncio.sleep(self.goodbye)
            self.live -= 1
        await peer.close(1000)

    async def _answer_one(self, peer: Peer, session: ServerSession) -> bool:
        request = openenv.decode_request(await peer.recv())
        self.heard.append(request)
        if request.op is Op.CLOSE:
            return False
        order = request.payload.get("do") if request.op in (Op.STEP, Op.RESET) else None
        if order == "hang":
            await _until_gone(peer)
        elif order == "cut":
            await peer.cut()
            return False
        elif order == "close":
            await peer.close(request.payload["code"])
            return False
        elif order == "raw":
            for frame in request.payload["frames"]:
                await peer.send(frame)
        else:
            reply = self._reply(request, session)
            session.finish(request.op, reply)
            await peer.send(openenv.encode_reply(reply))
        return True

    def _reply(self, request: Request, session: ServerSession) -> Reply:
        order = request.payload.get("do")
        if order == "error":
            return ErrorReply(request.payload["code"], "as ordered", request.payload.get("details", {}))
        match request.op:
            case Op.STATE:
                return StateReply({"episode_id": "e", "step_count": session.steps})
            case Op.MCP:
                return McpReply({"jsonrpc": "2.0", "id": request.payload.get("id"), "result": {}})
            case Op.RESET:
                return Outcome({"said": "", "steps": 0})
        said, steps = request.payload.get("say", ""), session.steps + 1
        return Outcome(
            {"said": said, "steps": steps},
            reward=float(len(said)),
            done=order in ("end", "limit"),
            truncated=order == "limit",
            metadata={"nth": steps},
        )


async def _until_gone(peer: Peer) -> None:
    while True:
        await peer.recv()


class _MemoryPeer:
    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self.recv = transport.recv

    async def send(self, frame: str) -> None:
        self._transport.send(frame)

    async def close(self, code: int) -> None:
        await self._transport.close(code)

    async def cut(self) -> None:
        await self._transport.close(1006)


class MemoryConnector:
    """Connects to `DialectServer` objects, by the ``base_url`` they are registered under.

    Attributes:
        servers: The servers; an endpoint that is not among them is unreachable.
        asked: How often each endpoint was asked.
    """

    def __init__(self, **servers: DialectServer) -> None:
        self.servers = servers
        self.asked: list[str] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def open(
        self, endpoint: Endpoint, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> OpenEnvChannel:
        self.asked.append(endpoint.base_url)
        await asyncio.sleep(0)
        server = self.servers.get(endpoint.base_url)
        if server is None:
            raise ServerUnreachableError(f"nobody at {endpoint.base_url}")
        ours, theirs = memory_pair()
        task = asyncio.create_task(server.serve(_MemoryPeer(theirs)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return OpenEnvChannel(ours, on_reply, on_lost)

    async def visit(self, endpoint: Endpoint, timeout: float | None) -> SilentVisit:
        return SilentVisit()

    def forget(self, endpoint: Endpoint, why: str) -> None:
        pass


class _SocketPeer:
    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.recv = connection.recv
        self.send = connection.send

    async def close(self, code: int) -> None:
        await self._connection.close(code)

    async def cut(self) -> None:
        self._connection.transport.abort()


@contextlib.contextmanager
def serving(server: DialectServer, **options: Any) -> Iterator[str]:
    """Serve real WebSockets on loopback from a thread of its own; gives the base URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="dialect-server", daemon=True)
    thread.start()

    async def handle(connection: ServerConnection) -> None:
        await server.serve(_SocketPeer(connection))

    async def start() -> Server:
        return await serve(handle, "127.0.0.1", 0, close_timeout=1, **options)

    async def stop(listening: Server) -> None:
        listening.close()
        await listening.wait_closed()

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    listening = run(start())
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        run(stop(listening))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
