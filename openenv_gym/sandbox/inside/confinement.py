"""Put this process under the restrictions that the owner asked for, and check that they hold."""

from __future__ import annotations

import os
from typing import Any

from openenv_gym.sandbox.inside import filters, kernel, landlock, seccomp


class ConfinementError(Exception):
    """A restriction was asked for and is not in force."""


def confine(config: dict[str, Any]) -> None:
    """Give up every privilege for good.

    Args:
        config: ``uid`` and ``gid`` to become (null: stay), ``landlock`` (null, or ``abi``, ``rules``,
            ``network``), ``sockets`` (null: no filter; see `filters.for_sandbox`).

    Raises:
        ConfinementError: After all steps, one of them has not taken effect.
        OSError: The kernel refused a step.
    """
    if config["uid"] is not None:
        os.setgroups([])
        os.setresgid(config["gid"], config["gid"], config["gid"])
        os.setresuid(config["uid"], config["uid"], config["uid"])
        kernel.drop_capabilities()
    # Programs run as this process's user; without a core dump's rights they cannot touch its memory.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    if config["landlock"] is not None:
        wanted = config["landlock"]
        landlock.restrict(wanted["rules"], version=wanted["abi"], network=wanted["network"])
    if config["sockets"] is not None:
        abi = config["landlock"]["abi"] if config["landlock"] else None
        seccomp.install(filters.for_sandbox(sockets=config["sockets"], landlock_abi=abi))
        _verify(config)


def _verify(config: dict[str, Any]) -> None:
    if kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS) != 1:
        raise ConfinementError("no_new_privs is not set")
    if kernel.prctl(kernel.PR_GET_SECCOMP) != 2:
        raise ConfinementError("the seccomp filter is not in force")
    if os.getuid() == 0 or os.geteuid() == 0:
        raise ConfinementError("programs would run as root")
    if config["uid"] is not None and os.getresuid() != (config["uid"],) * 3:
        raise ConfinementError(f"the user is {os.getresuid()}, not {config['uid']}")
    if kernel.capabilities() != 0:
        raise ConfinementError("capabilities are left")
    for place in config["reachable"]:
        try:
            os.close(os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise ConfinementError(
                f"{place} cannot be read by the sandbox's user {os.getuid()} ({error.strerror}):"
                " make it readable for others, and the folders above it searchable"
            ) from error
