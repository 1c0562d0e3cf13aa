"""PettingZoo's two interfaces, or what to install for them."""

from __future__ import annotations

from openenv_gym.errors import MissingExtraError

try:
    from pettingzoo.utils.env import AECEnv, ParallelEnv
except ModuleNotFoundError as error:
    raise MissingExtraError("a face of PettingZoo's", "pettingzoo") from error

__all__ = ["AECEnv", "ParallelEnv"]
