"""Registers ``openenv/<Name>-v0`` with gymnasium; entry points are strings, so nothing else is imported.

gymnasium is given, not imported: who imports neither it nor its adapters has no use for ids.
"""

from __future__ import annotations

from types import ModuleType

from openenv_gym.registry.environments import BUILT_IN, EnvironmentEntry

NAMESPACE = "openenv"


def register_all(gymnasium: ModuleType) -> None:
    """Register the built-in environments; what is registered already stays as it is."""
    for entry in BUILT_IN:
        if gymnasium_id(entry) not in gymnasium.registry:
            register(gymnasium, entry)


def register(gymnasium: ModuleType, entry: EnvironmentEntry) -> None:
    """Register one environment for ``gymnasium.make`` and ``gymnasium.make_vec``."""
    kwargs = {"server": entry.server, "default_image": entry.image, "extra": entry.extra}
    gymnasium.register(
        id=gymnasium_id(entry),
        entry_point="openenv_gym.adapters.remote_env:RemoteEnv",
        vector_entry_point="openenv_gym.adapters.remote_vector_env:RemoteVectorEnv",
        max_episode_steps=entry.max_episode_steps,
        kwargs={key: value for key, value in kwargs.items() if value is not None},
    )


def gymnasium_id(entry: EnvironmentEntry) -> str:
    """The environment's gymnasium id."""
    return f"{NAMESPACE}/{entry.name}-v0"
