"""A fleet: several servers of one environment that are kept healthy under the sessions that use them."""

from openenv_gym.client.fleet.fleet import Fleet
from openenv_gym.client.fleet.status import ServerPhase, ServerStatus

__all__ = ["Fleet", "ServerPhase", "ServerStatus"]
