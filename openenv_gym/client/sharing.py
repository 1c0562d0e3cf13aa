"""One connector for all clients that connect alike, so that their sessions at a server share a connection.

A rollout loop opens a client an episode, hundreds at a time. On one connection their requests share frames
and system calls; on one each they would not.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from openenv_gym.client.dialects import Dialect, DialectConnector
from openenv_gym.client.dialling import WebSocketDial

_connectors: WeakValueDictionary[tuple[WebSocketDial, Dialect, float], DialectConnector] = (
    WeakValueDictionary()
)


def shared_connector(dial: WebSocketDial, dialect: Dialect, outage_timeout: float) -> DialectConnector:
    """Return the connector of these options, as long as somebody uses one; else make it.

    Threads that ask at the same moment may get one each: they share less, that is all.

    Args:
        dial: Opens connections.
        dialect: See `DialectConnector`.
        outage_timeout: See `DialectConnector`.

    Raises:
        UsageError: As `DialectConnector`.
    """
    key = (dial, dialect, outage_timeout)
    connector = _connectors.get(key)
    if connector is None:
        connector = DialectConnector(dial, dialect, outage_timeout=outage_timeout, eager=True)
        _connectors[key] = connector
    return connector
