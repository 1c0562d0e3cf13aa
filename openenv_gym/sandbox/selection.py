"""Choose what confines: the best mechanism that really works here, or none at all."""

from __future__ import annotations

import os
import threading
from typing import Literal

from openenv_gym.errors import SandboxError, UsageError
from openenv_gym.sandbox.bubblewrap import INSTALL_HINT
from openenv_gym.sandbox.inside import landlock
from openenv_gym.sandbox.launcher import Mechanism
from openenv_gym.sandbox.sandbox import Sandbox
from openenv_gym.sandbox.spec import SandboxSpec

MechanismChoice = Literal["auto", Mechanism]

_CONFINING: tuple[Mechanism, ...] = ("bubblewrap", "landlock")

_probing = threading.Lock()
_failures: dict[tuple[int, Mechanism], str | None] = {}


def open_sandbox(spec: SandboxSpec, mechanism: MechanismChoice = "auto") -> Sandbox:
    """Open a sandbox.

    Args:
        spec: What programs see and may take.
        mechanism: ``"auto"`` takes bubblewrap, else Landlock, else refuses. ``"none"`` confines nothing
            but time, output and resources: for programs that are trusted.

    Raises:
        SandboxError: Nothing that was asked for works here; says why and what to install.
        UsageError: A mount's source is no folder, or the mechanism is unknown.
    """
    if mechanism == "auto":
        return Sandbox(spec, _choose())
    if mechanism == "none":
        return Sandbox(spec, mechanism)
    if mechanism not in _CONFINING:
        raise UsageError(f"the mechanism is one of auto, {', '.join(_CONFINING)}, none; not {mechanism!r}")
    reason = why_not(mechanism)
    if reason is not None:
        raise SandboxError(reason)
    return Sandbox(spec, mechanism)


def available() -> tuple[Mechanism, ...]:
    """The mechanisms that work here, best first: tried once, which takes a moment, then remembered."""
    return tuple(mechanism for mechanism in _CONFINING if why_not(mechanism) is None)


def why_not(mechanism: Mechanism) -> str | None:
    """Why a mechanism does not work here; None when it does."""
    key = (os.geteuid(), mechanism)
    with _probing:
        if key not in _failures:
            _failures[key] = _probe(mechanism)
        return _failures[key]


def _choose() -> Mechanism:
    for mechanism in _CONFINING:
        if why_not(mechanism) is None:
            return mechanism
    reasons = "; ".join(f"{why_not(mechanism)}" for mechanism in _CONFINING)
    raise SandboxError(
        f"hostile programs cannot be confined here, so none is run: {INSTALL_HINT}, or use a kernel with"
        f" Landlock (Linux 5.13 or later, listed in /sys/kernel/security/lsm). Tried: {reasons}"
    )


def _probe(mechanism: Mechanism) -> str | None:
    if mechanism == "landlock" and landlock.abi() < 1:
        return "landlock: this kernel has none, or it is switched off"
    try:
        with Sandbox(SandboxSpec(), mechanism) as sandbox:
            completed = sandbox.run(["true"])
    except (SandboxError, OSError) as error:
        return str(error)
    return None if completed.exit_code == 0 else f"{mechanism}: `true` ended with {completed.exit_code}"
