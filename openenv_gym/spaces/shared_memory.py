"""Elements of this package's spaces in the shared memory of gymnasium's ``AsyncVectorEnv``.

The vector env reads its shared memory once, when it is made, and hands out copies of what it then got. Arrays
are views of the memory and stay current; texts and unions are no arrays, so here they are read each time
somebody looks at them, or copies them. Importing this module registers the functions with gymnasium.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing.heap import BufferWrapper
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

from openenv_gym.spaces.text import Text
from openenv_gym.spaces.union import Union

# A lane of text: its size in bytes, then the text as UTF-8.
_SIZE_BYTES = 8
_MAX_BYTES_PER_CHARACTER = 4


class LiveLanes(tuple[Any, ...]):
    """One element per lane, read anew at every look; a deep copy is a plain tuple of what was there."""

    _read_lane: Callable[[int], Any]

    def __new__(cls, n: int, read_lane: Callable[[int], Any]) -> LiveLanes:
        """Make ``n`` lanes; ``read_lane(index)`` reads one."""
        lanes = super().__new__(cls, range(n))
        lanes._read_lane = read_lane
        return lanes

    def __getitem__(self, index: Any) -> Any:
        chosen = super().__getitem__(index)
        return tuple(map(self._read_lane, chosen)) if isinstance(chosen, tuple) else self._read_lane(chosen)

    def __iter__(self) -> Iterator[Any]:
        return map(self._read_lane, super().__iter__())

    def __contains__(self, item: object) -> bool:
        return item in tuple(self)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == other

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[Any, ...]:
        return tuple(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)


@create_shared_memory.register(Text)
def _create_shared_text(space: Text, n: int = 1, ctx: Any = None) -> BufferWrapper:
    # Not ctx.Array: that writes zeros over the whole block, and long texts that never come would cost real
    # memory, 4 MiB a lane. This is the block it would take them from.
    memory = BufferWrapper(n * _stride(space))
    for index in range(n):
        _write_shared_text(space, index, space.blank, memory)
    return memory


@write_to_shared_memory.register(Text)
def _write_shared_text(space: Text, index: int, value: str, shared_memory: BufferWrapper) -> None:
    if len(value) > space.max_length:
        raise ValueError(f"a text of {len(value)} characters is not in {space}")
    data = value.encode()
    start = index * _stride(space) + _SIZE_BYTES
    view = shared_memory.create_memoryview()
    view[start - _SIZE_BYTES : start] = len(data).to_bytes(_SIZE_BYTES, "little")
    view[start : start + len(data)] = data


@read_from_shared_memory.register(Text)
def _read_shared_text(space: Text, shared_memory: BufferWrapper, n: int = 1) -> LiveLanes:
    stride = _stride(space)
    view = shared_memory.create_memoryview()

    def read_lane(index: int) -> str:
        start = index * stride + _SIZE_BYTES
        size = int.from_bytes(view[start - _SIZE_BYTES : start], "little")
        return str(view[start : start + size], "utf-8")

    # The memory goes back to its pool when the wrapper is collected: the reader keeps it alive.
    read_lane.memory = shared_memory  # type: ignore[attr-defined]
    return LiveLanes(n, read_lane)


@read_from_shared_memory.register(Union)
def _read_shared_union(space: Union, shared_memory: Any, n: int = 1) -> LiveLanes:
    branches = np.frombuffer(shared_memory[0].get_obj(), dtype=np.int64)
    batches = [
        read_from_shared_memory(branch, memory, n=n)
        for branch, memory in zip(space.spaces, shared_memory[1:], strict=True)
    ]

    def read_lane(index: int) -> tuple[np.int64, Any]:
        branch = branches[index]
        return branch, _lane(space.spaces[branch], batches[branch], index)

    return LiveLanes(n, read_lane)


def _lane(space: Space[Any], batch: Any, index: int) -> Any:
    """A copy of one lane's element in a batch."""
    if isinstance(space, spaces.Dict):
        return {name: _lane(part, batch[name], index) for name, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_lane(part, batch[place], index) for place, part in enumerate(space.spaces))
    if isinstance(space, spaces.Box):
        return batch[index, ...].copy()  # the ellipsis keeps a single number an array
    return batch[index]


def _stride(space: Text) -> int:
    return _SIZE_BYTES + _MAX_BYTES_PER_CHARACTER * space.max_length
