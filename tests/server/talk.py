"""A raw client for the server's tests: frames as they are, so that bad ones can be sent too."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.servers import LiveServer


class Talk:
    """One WebSocket that speaks OpenEnv's dialect."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def ask(self, frame: Any) -> dict[str, Any]:
        """Send a frame (a dict as JSON, text and bytes as they are); return the reply."""
        self.send(frame)
        return self.receive()

    def send(self, frame: Any) -> None:
        self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def receive(self) -> dict[str, Any]:
        reply = json.loads(self.connection.recv(timeout=30))
        assert isinstance(reply, dict)
        return reply

    def reset(self, **options: Any) -> dict[str, Any]:
        return self.ask({"type": "reset", "data": options})

    def step(self, message: str) -> dict[str, Any]:
        return self.ask({"type": "step", "data": {"message": message}})

    def error_of(self, frame: Any) -> dict[str, Any]:
        """Send a frame that deserves an error; return the error's data."""
        reply = self.ask(frame)
        assert reply["type"] == "error", reply
        assert set(reply) == {"type", "data"}
        assert isinstance(reply["data"]["message"], str)
        return reply["data"]

    def assert_usable(self) -> None:
        """Play one short episode."""
        assert self.reset()["type"] == "observation"
        assert self.step("still here")["data"]["observation"]["echo"] == "still here"


@contextmanager
def talk(server: LiveServer, query: str = "", **options: Any) -> Iterator[Talk]:
    with connect(server.ws_url + query, proxy=None, **options) as connection:
        yield Talk(connection)


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx would load every certificate for each client


def http_of(server: LiveServer) -> httpx.Client:
    """Make an HTTP client that keeps cookies, as browsers and ``requests.Session`` do."""
    return httpx.Client(base_url=server.base_url, verify=_NO_TLS, timeout=60)


def get(server: LiveServer, path: str, **options: Any) -> httpx.Response:
    """Send one request that remembers nothing of earlier ones, as curl does."""
    with http_of(server) as client:
        return client.get(path, **options)


def post(server: LiveServer, path: str, **options: Any) -> httpx.Response:
    """Send one request that remembers nothing of earlier ones, as curl does."""
    with http_of(server) as client:
        return client.post(path, **options)


def active(server: LiveServer) -> int:
    """Count the sessions that hold a slot."""
    return int(server.run(lambda: server.app.state.sessions.active))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that the server does in its own time."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never became true")


def wait_until_empty(server: LiveServer) -> None:
    wait_until(lambda: active(server) == 0)
