"""What an operator may set on a server: limits, timeouts, the token; read once, from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from openenv_gym.errors import UsageError

GROUP_VARIABLE = "OPENENV_GYM_GROUP"
SIBLINGS_VARIABLE = "OPENENV_GYM_SIBLINGS"

_ValueT = TypeVar("_ValueT")
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """A server's limits. Every default is safe on an open network except that no token is set.

    Attributes:
        token: What clients must present as ``Authorization: Bearer``; ``None`` asks for nothing.
        max_sessions: Overrides the capacity that the environment's class declares.
        idle_timeout: Seconds after which a session without a connection (HTTP, MCP) is closed.
        step_timeout: Seconds a reset, step or state call may take before its session is given up.
        open_timeout: Seconds the environment's constructor may take.
        close_timeout: Seconds to wait for an environment to close before its slot is freed regardless.
        lease: Seconds that an ``openenv-gym.v1`` session outlives its connection.
        queue_size: ``openenv-gym.v1`` sessions that may wait for a slot.
        queue_timeout: Seconds each of them waits at most.
        spare_workers: Worker processes that are started ahead of the sessions that need one, where an
            environment's execution is ``process``.
        max_snapshots: Snapshots that one session may have; the one not used for the longest time is dropped.
        drain_grace: Seconds that running calls get to finish after SIGTERM.
        max_frame_bytes: Longest WebSocket message.
        max_body_bytes: Longest HTTP body.
        max_runaways: Calls that may hang beyond their deadline before ``/health`` turns unhealthy.
        allowed_origins: Browser origins other than the server's own, for example ``https://play.example``.
        siblings: Further servers of this environment on this host, to which clients may spread their
            sessions: ports, or URLs where a proxy gives each its own. ``--workers`` sets them.
        group: A text that the siblings have in common and other servers do not: a client leaves alone whom
            it finds under a sibling's address without it.
    """

    token: str | None = field(default=None, repr=False)
    max_sessions: int | None = None
    idle_timeout: float = 600.0
    step_timeout: float = 600.0
    open_timeout: float = 300.0
    close_timeout: float = 10.0
    lease: float = 60.0
    queue_size: int = 1024
    queue_timeout: float = 30.0
    spare_workers: int = 1
    max_snapshots: int = 16
    drain_grace: float = 10.0
    max_frame_bytes: int = 16 * _MEBIBYTE
    max_body_bytes: int = 16 * _MEBIBYTE
    max_runaways: int = 8
    allowed_origins: frozenset[str] = frozenset()
    siblings: tuple[int | str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        for name, (_, parse) in _VARIABLES.items():
            value = getattr(self, name)
            if parse in (_seconds, _count) and value is not None and not value > 0:
                raise UsageError(f"ServerSettings.{name} must be greater than 0, not {value!r}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> ServerSettings:
        """Read the settings from environment variables (this process's own unless given).

        Raises:
            UsageError: A variable holds something else than it should; the message names it.
        """
        source = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for name, (variable, parse) in _VARIABLES.items():
            text = source.get(variable, "").strip()
            if not text:
                continue
            try:
                values[name] = parse(text)
            except ValueError as error:
                raise UsageError(f"{variable}={text!r}: {error}") from None
        return cls(**values)  # type: ignore[arg-type]

    def with_idle_timeout(self, idle_timeout: float) -> ServerSettings:
        """Copy the settings with another idle timeout."""
        return replace(self, idle_timeout=idle_timeout)


def _text(text: str) -> str:
    return text


def _seconds(text: str) -> float:
    return _positive(float, text, "a number of seconds greater than 0")


def _count(text: str) -> int:
    return _positive(int, text, "a whole number greater than 0")


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number, maybe 0")
    return int(text)


def _positive(parse: Callable[[str], _ValueT], text: str, expected: str) -> _ValueT:
    try:
        value = parse(text)
    except ValueError:
        raise ValueError(f"expected {expected}") from None
    if not value > 0:  # type: ignore[operator]  # refuses NaN too
        raise ValueError(f"expected {expected}")
    return value


def _origins(text: str) -> frozenset[str]:
    return frozenset(origin.strip().rstrip("/").lower() for origin in text.split(",") if origin.strip())


def _addresses(text: str) -> tuple[int | str, ...]:
    return tuple(parse_name(name.strip()) for name in text.split(",") if name.strip())


def parse_name(text: str) -> int | str:
    """Read what clients know a server by: a port, or a URL.

    Raises:
        ValueError: It is neither.
    """
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    if "://" in text:
        return text
    raise ValueError("expected ports and URLs, separated by commas")


# MAX_CONCURRENT_ENVS is OpenEnv's name; the token's is what providers set.
_VARIABLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "token": ("OPENENV_GYM_TOKEN", _text),
    "max_sessions": ("MAX_CONCURRENT_ENVS", _count),
    "idle_timeout": ("OPENENV_GYM_IDLE_TIMEOUT", _seconds),
    "step_timeout": ("OPENENV_GYM_STEP_TIMEOUT", _seconds),
    "open_timeout": ("OPENENV_GYM_OPEN_TIMEOUT", _seconds),
    "close_timeout": ("OPENENV_GYM_CLOSE_TIMEOUT", _seconds),
    "lease": ("OPENENV_GYM_LEASE", _seconds),
    "queue_size": ("OPENENV_GYM_QUEUE_SIZE", _count),
    "queue_timeout": ("OPENENV_GYM_QUEUE_TIMEOUT", _seconds),
    "spare_workers": ("OPENENV_GYM_SPARE_WORKERS", _whole),
    "max_snapshots": ("OPENENV_GYM_MAX_SNAPSHOTS", _count),
    "drain_grace": ("OPENENV_GYM_DRAIN_GRACE", _seconds),
    "max_frame_bytes": ("OPENENV_GYM_MAX_FRAME_BYTES", _count),
    "max_body_bytes": ("OPENENV_GYM_MAX_BODY_BYTES", _count),
    "max_runaways": ("OPENENV_GYM_MAX_RUNAWAYS", _count),
    "allowed_origins": ("OPENENV_GYM_ALLOWED_ORIGINS", _origins),
    "siblings": (SIBLINGS_VARIABLE, _addresses),
    "group": (GROUP_VARIABLE, _text),
}
