"""A ``OneOf`` space that can be put in shared memory whatever its branches are."""

from __future__ import annotations

from gymnasium.spaces import OneOf


class Union(OneOf):
    """An element of one of several spaces, as ``(index of the space, element)``.

    Equal to the plain ``OneOf`` of the same spaces. Gymnasium reads a ``OneOf`` back from shared memory wrongly
    when a branch is a ``Dict`` or a ``Tuple``; ``batching`` registers a reader for this class that does not.
    """
