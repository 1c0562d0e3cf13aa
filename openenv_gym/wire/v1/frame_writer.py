"""Encoded entries -> one frame that is long enough to pay and short enough for its receiver."""

from __future__ import annotations

from openenv_gym.wire.v1.codecs import JOIN_OVERHEAD, Codec, Frame

_FILL = 256 * 1024


class FrameLimits:
    """What one frame may hold.

    Args:
        max_frame_bytes: Longest message.
        max_entries: Most entries in it.

    Attributes:
        fill: Bytes at which a frame takes no further entry.
        max_entries: See above.
        max_entry_bytes: Longest entry that fits into any frame that still takes one.
    """

    def __init__(self, max_frame_bytes: int, max_entries: int) -> None:
        self.fill = min(_FILL, max_frame_bytes // 4)
        self.max_entries = max_entries
        self.max_entry_bytes = max_frame_bytes - self.fill - JOIN_OVERHEAD - 1


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

    def add(self, entry: bytes) -> bool:
        """Add an entry of at most `FrameLimits.max_entry_bytes`; says whether another may follow."""
        self._entries.append(entry)
        self._room -= len(entry) + 1  # JSON's comma
        self._places -= 1
        return self._room > 0 and self._places > 0

    def frame(self) -> Frame | None:
        """Join what was added; ``None`` when nothing was."""
        return self._codec.join(self._entries) if self._entries else None
