"""What authors of environments and of providers test theirs with; needs the ``testing`` extra.

`check_provider` and `ProviderContract` do without pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openenv_gym.testing.environment_contract import EnvironmentContract
    from openenv_gym.testing.provider_check import check_provider
    from openenv_gym.testing.provider_contract import Attempt, ProviderContract

__all__ = ["Attempt", "EnvironmentContract", "ProviderContract", "check_provider"]

# Where each name lives, so that pytest is loaded only by what is built on it.
_HOMES = {
    "Attempt": "provider_contract",
    "EnvironmentContract": "environment_contract",
    "ProviderContract": "provider_contract",
    "check_provider": "provider_check",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
