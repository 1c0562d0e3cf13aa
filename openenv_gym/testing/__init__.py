"""What authors of environments and of providers test theirs with; needs the ``testing`` extra.

`check_provider` and `ProviderContract` do without pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from openenv_gym.testing.environment_contract import EnvironmentContract
    from openenv_gym.testing.provider_check import check_provider
    from openenv_gym.testing.provider_contract import Attempt, ProviderContract

__all__ = ["Attempt", "EnvironmentContract", "ProviderContract", "check_provider"]

# Where each name lives, so that pytest is loaded only by what is built on it.
_HOMES = {
    "Attempt": "openenv_gym.testing.provider_contract",
    "EnvironmentContract": "openenv_gym.testing.environment_contract",
    "ProviderContract": "openenv_gym.testing.provider_contract",
    "check_provider": "openenv_gym.testing.provider_check",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
