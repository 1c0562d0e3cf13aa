"""A fleet: several servers of one environment that are kept healthy under the sessions that use them."""

from openenv_gym.client.fleet.breaker import BreakerRules
from openenv_gym.client.fleet.fleet import Fleet
from openenv_gym.client.fleet.health import HealthRules
from openenv_gym.client.fleet.status import FleetStatus, ServerPhase, ServerStatus

__all__ = ["BreakerRules", "Fleet", "FleetStatus", "HealthRules", "ServerPhase", "ServerStatus"]
