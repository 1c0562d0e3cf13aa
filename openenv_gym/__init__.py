"""Any OpenEnv server as a `gymnasium.Env`, a fault-tolerant `VectorEnv`, or a typed client.

Importing this package registers the ``openenv/...`` ids with gymnasium, once gymnasium itself is imported,
and little else: every public name loads its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names
from openenv_gym.registry.gymnasium_ids import register_all
from openenv_gym.registry.on_import import when_imported

if TYPE_CHECKING:
    from openenv_gym.adapters.branching import fork, restore, snapshot
    from openenv_gym.adapters.remote_env import RemoteEnv
    from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
    from openenv_gym.client.env_client import EnvClient
    from openenv_gym.client.fleet.fleet import Fleet
    from openenv_gym.client.generic_client import GenericAction, GenericEnvClient
    from openenv_gym.client.mcp_client import MCPToolClient
    from openenv_gym.client.sync_client import SyncEnvClient
    from openenv_gym.errors import OpenEnvGymError
    from openenv_gym.models import Action, Observation, State, StepResult
    from openenv_gym.providers.process import ProcessProvider

_HOMES = {
    "Action": "openenv_gym.models",
    "EnvClient": "openenv_gym.client.env_client",
    "Fleet": "openenv_gym.client.fleet.fleet",
    "GenericAction": "openenv_gym.client.generic_client",
    "GenericEnvClient": "openenv_gym.client.generic_client",
    "MCPToolClient": "openenv_gym.client.mcp_client",
    "Observation": "openenv_gym.models",
    "OpenEnvGymError": "openenv_gym.errors",
    "ProcessProvider": "openenv_gym.providers.process",
    "RemoteEnv": "openenv_gym.adapters.remote_env",
    "RemoteVectorEnv": "openenv_gym.adapters.remote_vector_env",
    "State": "openenv_gym.models",
    "StepResult": "openenv_gym.models",
    "SyncEnvClient": "openenv_gym.client.sync_client",
    "fork": "openenv_gym.adapters.branching",
    "restore": "openenv_gym.adapters.branching",
    "snapshot": "openenv_gym.adapters.branching",
}

__version__ = "0.1.0"
__all__ = [
    "Action",
    "EnvClient",
    "Fleet",
    "GenericAction",
    "GenericEnvClient",
    "MCPToolClient",
    "Observation",
    "OpenEnvGymError",
    "ProcessProvider",
    "RemoteEnv",
    "RemoteVectorEnv",
    "State",
    "StepResult",
    "SyncEnvClient",
    "fork",
    "restore",
    "snapshot",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

# A server imports this package too, and most of them have no use for gymnasium, which loads numpy.
when_imported("gymnasium", register_all)
