"""Says in words what the engine reports: how a container ended, and what to change."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from openenv_gym.providers.server_state import ServerState

_BY_SIGNAL = 128  # a shell's way to say in an exit code that a signal did it
_HEALTH_LOG = 500  # characters of what a health check printed

# What the engine's refusals are about, and what helps.
_REFUSALS = (
    (
        "unknown runtime|unknown or invalid runtime",
        "install the runtime where the engine runs, name it in the engine's daemon.json and restart that",
    ),
    (
        "network enabled in root network namespace",
        "the engine's daemon.json has to run gVisor with the container's network: "
        '"runtimes": {"runsc": {"path": "runsc", "runtimeArgs": ["--network=host"]}}',
    ),
    (
        "docker-init",
        "the engine lacks its init process (package tini): install that, or give init=False",
    ),
    (
        "could not select device driver",
        "gpus= needs the devices' driver and its container toolkit where the engine runs",
    ),
    (r"network \S+ not found", "network= names one that exists: docker network create"),
    ("no command specified", "the image starts nothing by itself: command= says what to start"),
    ("exec format error", "the image is for another processor: build it for this one, or look at platform="),
    (
        "no such file or directory|executable file not found|permission denied",
        "the image's command cannot be run: is it the image of a server? command= replaces it",
    ),
    ("mount|bind|volume", "do the paths of volumes= exist where the engine runs, and are they absolute?"),
)
_ACCESS = re.compile(r"Permission denied|Read-only file system|Operation not permitted|PermissionError")


def refusal_advice(explanation: str) -> str:
    """What to change when the engine refuses to run a container; "" if nobody knows."""
    for pattern, advice in _REFUSALS:
        if re.search(pattern, explanation, re.IGNORECASE):
            return advice
    return ""


def state_of(container: Mapping[str, Any]) -> ServerState:
    """Read the engine's answer to ``GET /containers/NAME/json``."""
    state: Mapping[str, Any] = container["State"]
    if state.get("Paused"):
        return ServerState("paused", "is paused")
    if state.get("Running") and not state.get("Restarting"):
        health = state.get("Health") or {}
        if health.get("Status") != "unhealthy":
            return ServerState("running")
        return ServerState("unhealthy", f"is unhealthy: its health check says: {_last_check(health)}")
    if state.get("OOMKilled"):
        memory = (container.get("HostConfig") or {}).get("Memory") or 0
        limit = f"{memory / (1 << 20):g} MiB" if memory else "all there is"
        return ServerState("ended", f"was killed for want of memory (memory= allows it {limit})")
    if state.get("Status") == "created":
        return ServerState("ended", "was not started")
    return ServerState("ended", _end(int(state.get("ExitCode") or 0)))


def _end(code: int) -> str:
    if code > _BY_SIGNAL and code - _BY_SIGNAL in {*signal.Signals}:
        return f"was killed by signal {code - _BY_SIGNAL} ({signal.strsignal(code - _BY_SIGNAL)})"
    return f"exited with code {code}"


def _last_check(health: Mapping[str, Any]) -> str:
    checks = health.get("Log") or [{}]
    output = (checks[-1].get("Output") or "").strip()
    return output[-_HEALTH_LOG:] or f"nothing, with exit code {checks[-1].get('ExitCode')}"


def access_advice(log: str) -> str:
    """What to change when a server's log tells that it was kept from something; else ""."""
    if _ACCESS.search(log) is None:
        return ""
    return (
        "it may need more than a container gets by default: writable= or tmpfs= for a directory, user= for "
        "the user it runs as, read_only=False, cap_add="
    )
