"""What authors of environments test theirs with; needs the ``testing`` extra."""

from __future__ import annotations

from openenv_gym.testing.environment_contract import EnvironmentContract

__all__ = ["EnvironmentContract"]
