"""Writes new objects as one pack with its index, so that a task comes into a checkout as two files.

The formats are those of git's gitformat-pack, version 2 both.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from bisect import bisect_right
from collections.abc import Mapping

_KINDS = {"commit": 1, "tree": 2, "blob": 3}


def encode_pack(objects: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """A pack and its index.

    Args:
        objects: Kind and content by name.
    """
    pack = bytearray(b"PACK" + struct.pack(">II", 2, len(objects)))
    places: dict[str, tuple[int, int]] = {}
    for name, (kind, data) in objects.items():
        record = _size(_KINDS[kind], len(data)) + zlib.compress(data, 1)
        places[name] = (len(pack), zlib.crc32(record))
        pack += record
    pack += _checksum(pack)
    names = sorted(places)
    index = bytearray(b"\xfftOc" + struct.pack(">I", 2))
    firsts = [int(name[:2], 16) for name in names]
    index += struct.pack(">256I", *(bisect_right(firsts, byte) for byte in range(256)))
    index += b"".join(bytes.fromhex(name) for name in names)
    index += b"".join(struct.pack(">I", places[name][1]) for name in names)
    index += b"".join(struct.pack(">I", places[name][0]) for name in names)
    index += pack[-20:]
    index += _checksum(index)
    return bytes(pack), bytes(index)


def _size(kind: int, size: int) -> bytes:
    """A record's head: the kind and the size, seven bits a byte after the first four."""
    byte = kind << 4 | size & 0x0F
    size >>= 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    head.append(byte)
    return bytes(head)


def _checksum(data: bytes | bytearray) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
