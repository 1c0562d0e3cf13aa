"""Whole messages in and out: a WebSocket, or a pair of queues in memory.

A transport knows nothing of what its messages mean; `openenv_gym.wire` gives them meaning.
"""

from openenv_gym.transport.interface import ConnectionClosed, Transport

__all__ = ["ConnectionClosed", "Transport"]
