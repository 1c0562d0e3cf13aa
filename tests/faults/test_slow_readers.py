"""A client that does not read: its server neither grows nor lets others wait."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from openenv_gym import RemoteVectorEnv
from openenv_gym.wire.v1.codecs import JsonCodec
from tests.faults.chain import Pull
from tests.faults.chain_server import PATIENCE, ChainServer
from tests.faults.leaks import nothing_left_behind

_MUCH = 64 * 2**20  # bytes, buffers of sockets included
_LITTLE = 96 * 2**20  # bytes, likewise
_BLOCKED = 1.0  # seconds in which not a byte is taken
_SESSION = "a-session-of-a-deaf-client"


class _DeafClient:
    """Writes frames and never reads, but for the handshake."""

    def __init__(self, server: ChainServer) -> None:
        uri = parse_uri(f"ws://127.0.0.1:{server.port}/ws")
        self._protocol = ClientProtocol(uri, subprotocols=[JsonCodec.subprotocol], max_size=None)  # type: ignore[list-item]
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self._protocol.send_request(self._protocol.connect())
        self.socket.sendall(b"".join(self._protocol.data_to_send()))
        self._protocol.receive_data(self.socket.recv(65536))
        self.socket.settimeout(_BLOCKED)
        self.sent = 0

    def say(self, *entries: object) -> bool:
        """Send a frame; returns whether the server took it in."""
        self._protocol.send_text(json.dumps(entries).encode())
        data = b"".join(self._protocol.data_to_send())
        try:
            self.socket.sendall(data)
        except TimeoutError:
            return False
        self.sent += len(data)
        return True


@contextmanager
def deaf_client(server: ChainServer) -> Iterator[_DeafClient]:
    client = _DeafClient(server)
    try:
        yield client
    finally:
        client.socket.close()


@pytest.mark.timeout(240)
def test_a_client_that_never_reads_is_not_read_from_and_nobody_waits(tmp_path: Path) -> None:
    server = ChainServer("inline", tmp_path, capacity=5, OPENENV_GYM_LEASE="0.2")
    try:
        with nothing_left_behind(server), RemoteVectorEnv(server.base_url, num_envs=4) as envs:
            envs.reset(seed=1)
            before = server.resident_bytes()
            with deaf_client(server) as deaf:
                while deaf.say(["", 0, "ping", "x" * 2**18]):
                    assert deaf.sent < _MUCH, "the server reads on and on"
                envs.step([Pull(token=1)] * 4)
            with deaf_client(server) as deaf:
                deaf.say([_SESSION, 0, "open"])
                deaf.say([_SESSION, 1, "reset", {"endless": True}])
                seq = 2
                # Each answer takes the place of the last: a client may leave all of them unread.
                while seq < 2000 and deaf.say([_SESSION, seq, "step", {"token": 1, "ballast": 2**20}]):
                    seq += 1
                envs.step([Pull(token=1)] * 4)
            assert server.resident_bytes() - before < _LITTLE
    finally:
        server.close()
