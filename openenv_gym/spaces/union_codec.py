"""The codec of values that may have one of several forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from openenv_gym.spaces.scalar_codecs import IntegerCodec, IntegerRangeCodec, NumberCodec, exact_integer
from openenv_gym.spaces.union import Union
from openenv_gym.spaces.value_codec import JSON_KINDS, Absent, Misfit, ValueCodec, kind_of


class UnionCodec(ValueCodec):
    """One of several forms, as ``(branch, element)`` in a ``OneOf``.

    A value takes the first branch, in the schema's order, that it fits; but ``3`` prefers an integer to a
    number and ``3.0`` the other way round.

    Args:
        branches: The codecs of the forms, at least two.
    """

    is_leaf = False

    def __init__(self, branches: list[ValueCodec]) -> None:
        kinds = frozenset[type]().union(*(branch.kinds for branch in branches))
        expects = " or ".join(dict.fromkeys(branch.expects for branch in branches))
        super().__init__(Union([branch.space for branch in branches]), kinds, expects)
        self.branches = branches
        # numpy's integer, because that is what the space samples and what comes out of shared memory.
        numbered = [(np.int64(index), branch) for index, branch in enumerate(branches)]
        self._by_kind = {kind: _candidates(kind, numbered) for kind in (*JSON_KINDS, Absent)}

    def decode(self, value: Any) -> tuple[np.int64, Any]:
        misfits = []
        for index, branch in self._by_kind.get(kind_of(value), ()):
            try:
                return index, branch.decode(value)
            except Misfit as misfit:
                misfits.append(misfit)
        raise self._closest(misfits, value) from None

    def encode(self, element: Any) -> Any:
        index = None
        if isinstance(element, list | tuple) and len(element) == 2:
            index = exact_integer(element[0])
        if index is None or not 0 <= index < len(self.branches):
            raise Misfit(
                f"a pair (branch, element) with a branch from 0 to {len(self.branches) - 1} ({self.expects})",
                element,
            )
        return self.branches[index].encode(element[1])

    def text_fields(self, path: str) -> Iterator[str]:
        for branch in self.branches:
            yield from branch.text_fields(path)

    def _closest(self, misfits: list[Misfit], value: Any) -> Misfit:
        """The misfit of the branch that was followed deepest; of all branches when none led anywhere."""
        closest = max(misfits, key=lambda misfit: misfit.depth, default=None)
        if closest is None or (closest.depth == 0 and len(misfits) > 1):
            return Misfit(self.expects, value)
        alike = dict.fromkeys(misfit.expected for misfit in misfits if misfit.path == closest.path)
        closest.expected = " or ".join(alike)
        return closest


def _candidates(
    kind: type, numbered: list[tuple[np.int64, ValueCodec]]
) -> tuple[tuple[np.int64, ValueCodec], ...]:
    """The branches to try for a Python type, in order."""
    second_choice: dict[type, tuple[type[ValueCodec], ...]] = {
        int: (NumberCodec,),
        float: (IntegerCodec, IntegerRangeCodec),
    }
    fitting = [(index, branch) for index, branch in numbered if kind in branch.kinds]
    return tuple(sorted(fitting, key=lambda pair: isinstance(pair[1], second_choice.get(kind, ()))))
