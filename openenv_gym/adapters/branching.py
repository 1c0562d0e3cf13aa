"""Snapshots and forks of a whole environment: a `RemoteEnv` together with the wrappers around it.

``gymnasium.make`` returns a `RemoteEnv` inside wrappers that keep state of their own: `TimeLimit` counts the
steps of the episode. `RemoteEnv`'s own methods know nothing of them; these functions take them along.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import gymnasium

from openenv_gym.adapters.remote_env import RemoteEnv, Snapshot
from openenv_gym.errors import NotSupportedError, UsageError

_Env = gymnasium.Env[Any, Any]


@dataclass(frozen=True, eq=False)
class WrappedSnapshot:
    """A snapshot of an environment in its wrappers; made by `snapshot`.

    Attributes:
        inner: Of the environment.
        wrappers: A copy of the wrappers, around that same environment.
    """

    inner: Snapshot
    wrappers: _Env


def snapshot(env: _Env) -> WrappedSnapshot:
    """Have the server keep the episode as it is now, for `restore` and `fork`; see `RemoteEnv.snapshot`.

    Args:
        env: A `RemoteEnv`, or wrappers around one.

    Raises:
        NotSupportedError: There is no `RemoteEnv` in it, or its server offers no snapshots.
    """
    remote = _remote(env)
    return WrappedSnapshot(remote.snapshot(), _copy(env, remote, remote))


def restore(env: _Env, state: WrappedSnapshot) -> None:
    """Go back: the next step continues from where `snapshot` was taken of this environment.

    Raises:
        UsageError: The snapshot is of an environment in other wrappers.
        SnapshotLostError: The server keeps it no longer; nothing has changed.
    """
    remote = _remote(env)
    layers, kept = _wrappers(env), _wrappers(_copy(state.wrappers, _remote(state.wrappers), remote))
    if list(map(type, layers)) != list(map(type, kept)):
        raise UsageError(f"the snapshot is of {state.wrappers}, and cannot be restored in {env}")
    remote.restore(state.inner)
    for layer, source in zip(layers, kept, strict=True):
        inside = layer.env
        vars(layer).clear()
        vars(layer).update(vars(source))
        layer.env = inside


def fork(env: _Env, state: WrappedSnapshot | None = None) -> _Env:
    """Make an environment of its own, in wrappers of its own, that continues from a snapshot of this one.

    Args:
        env: A `RemoteEnv`, or wrappers around one.
        state: A snapshot of it; by default one taken now.

    Returns:
        What `RemoteEnv.fork` returns, in copies of the wrappers. Close it by itself.

    Raises:
        CapacityError: The server has no free session.
        SnapshotLostError: The server keeps the snapshot no longer.
        NotSupportedError: As for `snapshot`.
    """
    state = snapshot(env) if state is None else state
    twin = _remote(env).fork(state.inner)
    try:
        return _copy(state.wrappers, _remote(state.wrappers), twin)
    except BaseException:
        twin.close()
        raise


def _remote(env: _Env) -> RemoteEnv:
    inner = env.unwrapped
    if not isinstance(inner, RemoteEnv):
        raise NotSupportedError(f"{env} has no snapshots: that takes an environment of openenv-gym's")
    return inner


def _wrappers(env: _Env) -> list[gymnasium.Wrapper[Any, Any, Any, Any]]:
    layers = []
    while isinstance(env, gymnasium.Wrapper):
        layers.append(env)
        env = env.env
    return layers


def _copy(env: _Env, remote: RemoteEnv, place: RemoteEnv) -> _Env:
    """Copy the wrappers, and what they hold, around ``place`` instead of ``remote``."""
    specs = [layer._cached_spec for layer in _wrappers(env)]  # may hold a provider, which is not to be copied
    return copy.deepcopy(env, {id(remote): place, **{id(spec): spec for spec in specs}})
