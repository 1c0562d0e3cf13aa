"""Every exception openenv-gym raises, as one tree.

::

    OpenEnvGymError
    |-- UsageError                  yours: change the call
    |   |-- NotSupportedError       the server or environment does not offer this
    |   |-- ConcurrentCallError     a session runs one call at a time
    |   |-- ConcurrencyConfigurationError  several sessions asked of an environment that allows one
    |   |-- ClosedError             used after close()
    |   |-- SchemaError             a JSON Schema that cannot become a space (also ValueError)
    |   `-- MissingExtraError       an optional dependency is not installed (also ImportError)
    |-- PeerError                   the server's or the network's
    |   |-- ServerUnreachableError  nothing answered (also ConnectionError)
    |   |-- ProtocolError           it answered, but not in a dialect we speak
    |   |-- AuthenticationError     the token is missing or wrong
    |   |-- CapacityError           every session slot is taken; try later
    |   |-- SessionLostError        the episode is gone: reset() starts a new one (also ConnectionError)
    |   |   `-- StepTimeoutError    ... because no answer came in time (also TimeoutError)
    |   |-- SnapshotLostError       the server keeps this snapshot no longer; the session lives
    |   |-- NoHealthyServerError    no server could take the session within the deadline
    |   `-- ProviderError           a server could not be started
    |       |-- ImageBuildError     ... as its image could not be built; carries the build's last lines
    |       `-- StartupError        ... it died or never became ready; carries its last log lines
    `-- EnvError                    the environment's: its code, or an action it refuses
        |-- InvalidActionError      the action (or a reset option) does not fit the schema (also ValueError)
        |-- NotResetError           step() before reset(), or after the episode's end
        |-- EnvironmentFailedError  the environment's own code raised
        |-- ToolCallError           a tool gave no result; the episode goes on (also RuntimeError)
        `-- SandboxError            hostile code could not be confined, so it was not run

Messages say what to change. Errors which a caller may want to handle with the standard library's
types inherit from those too, so ``except TimeoutError`` and ``except ConnectionError`` work.
"""

from __future__ import annotations

from typing import Any


class OpenEnvGymError(Exception):
    """Root of the tree: catch this to catch everything this library raises on purpose."""


# --- yours ---------------------------------------------------------------------------------------------


class UsageError(OpenEnvGymError):
    """The call cannot work as written; the message says what to change."""


class NotSupportedError(UsageError):
    """The server or environment does not offer the requested feature."""


class ConcurrentCallError(UsageError):
    """A second call was made on a session while the first was still running."""


class ConcurrencyConfigurationError(UsageError):
    """A server was told to run more sessions than its environment allows; OpenEnv's name for it."""


class ClosedError(UsageError):
    """An object was used after it was closed."""


class SchemaError(UsageError, ValueError):
    """A JSON Schema, or a value under one, cannot be expressed as a gymnasium space."""


class MissingExtraError(UsageError, ImportError):
    """An optional dependency is missing.

    Args:
        feature: What was asked for, as a noun phrase ("the server").
        extra: The extra of the ``openenv-gym`` distribution that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency: pip install 'openenv-gym[{extra}]'")
        self.extra = extra


# --- the peer's ----------------------------------------------------------------------------------------


class PeerError(OpenEnvGymError):
    """The server, or the network between, failed."""


class ServerUnreachableError(PeerError, ConnectionError):
    """No connection could be made."""


class ProtocolError(PeerError):
    """The peer sent something that its dialect does not allow."""


class AuthenticationError(PeerError):
    """The server refused the token, or none was sent."""


class CapacityError(PeerError):
    """Every session slot of the server is taken.

    Attributes:
        retry_after: Seconds after which a new attempt makes sense, when the server said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SessionLostError(PeerError, ConnectionError):
    """The session is gone, and its episode with it; ``reset()`` starts a new one.

    Raised instead of stepping a fresh environment that was never reset.
    """


class StepTimeoutError(SessionLostError, TimeoutError):
    """No reply came in time. Whether the call ran is unknown, so the session is given up."""


class SnapshotLostError(PeerError):
    """The session keeps no such snapshot: it was dropped for newer ones, or belongs to another session.

    The session itself goes on. A server keeps a few snapshots a session, and drops the one that was not used
    for the longest time.
    """


class NoHealthyServerError(PeerError):
    """No server could open a session within the deadline."""


class ProviderError(PeerError):
    """A provider could not start, find or stop a server."""


class ImageBuildError(ProviderError):
    """A container image could not be built.

    Attributes:
        log_tail: The last lines of the build, as one string ("" when they were shown already).
    """

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n--- last lines of the build ---\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class StartupError(ProviderError):
    """A started server exited, or was not ready before the deadline.

    Attributes:
        log_tail: The last lines the server wrote, as one string ("" when it wrote nothing).
    """

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n--- last lines of its log ---\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


# --- the environment's ---------------------------------------------------------------------------------


class EnvError(OpenEnvGymError):
    """The environment refused the call or failed in it.

    Attributes:
        code: The wire's error code, for example ``EXECUTION_ERROR``.
        details: What the server added, for example pydantic's ``errors`` list.
    """

    def __init__(
        self, message: str, code: str = "EXECUTION_ERROR", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}


class InvalidActionError(EnvError, ValueError):
    """The action, or a reset option, does not fit the environment's schema."""


class NotResetError(EnvError):
    """``step()`` came before ``reset()``, or after the episode had ended."""


class EnvironmentFailedError(EnvError):
    """The environment's own code raised. Type and message are in the text, the traceback in its log."""


class ToolCallError(EnvError, RuntimeError):
    """A call of a tool gave no result. The episode goes on.

    Args:
        message: What went wrong, for the agent to read.
        error_type: One of the values of `openenv_gym.tools.ToolErrorType`.
        code: See `EnvError`.
        details: See `EnvError`.
    """

    def __init__(
        self,
        message: str,
        error_type: str = "execution_error",
        code: str = "EXECUTION_ERROR",
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code, details)
        self.error_type = error_type


class SandboxError(EnvError):
    """No mechanism can confine the hostile code here, so it was not run."""
