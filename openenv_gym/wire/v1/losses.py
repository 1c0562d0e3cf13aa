"""What a client is told of a session that ended without the server saying so."""

from __future__ import annotations

from openenv_gym.errors import OpenEnvGymError, ServerUnreachableError, SessionLostError, StepTimeoutError
from openenv_gym.wire.v1.tracked_session import Phase, TrackedSession


def lost_with_server(session: TrackedSession) -> SessionLostError:
    """The server was restarted, and knows nothing of its former life."""
    if session.phase is Phase.BUSY:
        return SessionLostError(f"the server restarted while {session.op}() ran: its outcome is unknown")
    return SessionLostError("the server restarted, and the session went with it")


def lost_to_an_outage(seconds: float) -> SessionLostError:
    """The server was out of reach for too long."""
    return SessionLostError(f"no connection to the server for {seconds:.0f} s (outage_timeout= bounds that)")


def out_of_time(session: TrackedSession) -> OpenEnvGymError:
    """What the session waits for did not come by its deadline."""
    if session.phase is Phase.OPENING:
        return ServerUnreachableError("the server opened no session in time")
    return StepTimeoutError(f"no reply to {session.op}() came in time: whether it ran is unknown")
