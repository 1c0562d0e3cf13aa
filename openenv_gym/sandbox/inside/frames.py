"""Frames on the socket between a sandbox's owner and its helper.

A frame is two big-endian 32-bit lengths, a JSON object of the first length, raw bytes of the second.
File descriptors ride on the eight bytes of lengths.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

LENGTHS = struct.Struct("!II")
MAX_HEADER = 1 << 20
MAX_DESCRIPTORS = 3
_DESCRIPTOR = struct.Struct("i")


class FrameError(Exception):
    """The other side sent something that is not a frame, or one beyond the limit."""


def send_frame(
    connection: socket.socket, header: dict[str, Any], body: bytes = b"", descriptors: Sequence[int] = ()
) -> None:
    """Send one frame, blocking until it is written.

    Raises:
        OSError: The other side is gone.
    """
    text = json.dumps(header).encode()
    prefix = LENGTHS.pack(len(text), len(body))
    if descriptors:
        # Eight bytes fit into any socket buffer, so this is never a partial write.
        socket.send_fds(connection, [prefix], list(descriptors))
        prefix = b""
    connection.sendall(prefix + text + body)


def receive_frame(connection: socket.socket, max_body: int) -> tuple[dict[str, Any], bytes, list[int]] | None:
    """Receive one frame as ``(header, body, descriptors)``; None at the end of the stream.

    Raises:
        FrameError: The stream ended inside a frame, or the frame is malformed or beyond ``max_body`` bytes.
        OSError: The connection broke; TimeoutError when the socket's timeout ran out.
    """
    # Not socket.recv_fds, which drops the flags: every program would inherit the descriptors.
    prefix, ancillary, _flags, _address = connection.recvmsg(
        LENGTHS.size, socket.CMSG_LEN(MAX_DESCRIPTORS * _DESCRIPTOR.size), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = [
        descriptor
        for level, kind, data in ancillary
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for (descriptor,) in _DESCRIPTOR.iter_unpack(data)
    ]
    if not prefix:
        return None
    if len(prefix) < LENGTHS.size:
        prefix += _exactly(connection, LENGTHS.size - len(prefix))
    header_length, body_length = LENGTHS.unpack(prefix)
    if header_length > MAX_HEADER or body_length > max_body:
        raise FrameError(f"a frame of {header_length} + {body_length} bytes is beyond the limit")
    try:
        header = json.loads(_exactly(connection, header_length))
    except ValueError as error:
        raise FrameError(f"the frame's header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FrameError("the frame's header is not an object")
    return header, _exactly(connection, body_length), descriptors


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = connection.recv(min(length - len(data), 1 << 18))
        if not chunk:
            raise FrameError("the stream ended inside a frame")
        data += chunk
    return bytes(data)
