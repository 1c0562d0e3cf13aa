"""A ``OneOf`` space that can be put in shared memory whatever its branches are."""

from __future__ import annotations

from gymnasium.spaces import OneOf


class Union(OneOf):  # type: ignore[type-arg]  # generic in newer Gymnasium only
    """An element of one of several spaces, as ``(index of the space, element)``.

    Equal to the plain ``OneOf`` of the same spaces. Gymnasium reads a ``OneOf`` from shared memory wrongly:
    only once, and mixing lanes up when a branch is a ``Dict`` or a ``Tuple``. For this class
    :mod:`openenv_gym.spaces.shared_memory` registers a reader that does not.
    """
