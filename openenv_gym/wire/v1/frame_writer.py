"""Encoded entries -> one frame that is long enough to pay and short enough for its receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openenv_gym.wire.v1.codecs import JOIN_OVERHEAD, Codec, Frame

_FILL = 256 * 1024  # bytes; beyond, a longer frame saves nothing and delays its first entry


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What one frame may hold.

    Attributes:
        max_frame_bytes: Longest message.
        max_entries: Most entries in it.
    """

    max_frame_bytes: int
    max_entries: int

    @property
    def fill(self) -> int:
        """Bytes at which a frame takes no further entry."""
        return min(_FILL, self.max_frame_bytes // 4)

    @property
    def max_entry_bytes(self) -> int:
        """Longest entry that fits into any frame that still takes one."""
        return self.max_frame_bytes - self.fill - JOIN_OVERHEAD - 1


class FrameWriter:
    """Collects entries until the frame is full.

    Args:
        codec: Joins them.
        limits: What the receiver takes.
    """

    def __init__(self, codec: Codec, limits: FrameLimits) -> None:
        self._codec = codec
        self._room = limits.fill
        self._places = limits.max_entries
        self._entries: list[bytes] = []

    @property
    def is_full(self) -> bool:
        """Whether no further entry may be added."""
        return self._room <= 0 or self._places <= 0

    def add(self, entry: bytes) -> None:
        """Add an entry of at most `FrameLimits.max_entry_bytes`."""
        self._entries.append(entry)
        self._room -= len(entry) + 1  # JSON's comma
        self._places -= 1

    def frame(self) -> Frame | None:
        """Join what was added; ``None`` when nothing was."""
        entries: Sequence[bytes] = self._entries
        return self._codec.join(entries) if entries else None
