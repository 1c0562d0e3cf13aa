"""Start an environment's server somewhere and say where it listens: one module a kind of place."""

from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider

__all__ = ["Endpoint", "Provider", "ServerSpec"]
