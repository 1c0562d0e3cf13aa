"""Whether an engine manages a swarm: makes it one where that is wanted, and unmakes it after the last use."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from openenv_gym.errors import ProviderError
from openenv_gym.providers.docker.engine import Engine, NotOnEngineError
from openenv_gym.providers.docker.engine_address import EngineAddress

_PORT = 2377  # Swarm's own, where nobody else has it
_GATEWAY = "docker_gwbridge"  # a network that an engine makes with its swarm and leaves behind

_changing = threading.Lock()
_users: dict[EngineAddress, int] = {}
_made_here: dict[EngineAddress, bool] = {}  # swarms of this process's making; whether the gateway was there


def use_swarm(engine: Engine, *, init: bool, advertise_addr: str) -> str:
    """Count a user of the engine's swarm, who calls `leave_swarm` once; return the id of the engine's node.

    Args:
        engine: Has to be a manager.
        init: Whether to make it a swarm of one if it is in none.
        advertise_addr: The address it has in a swarm that is made.

    Raises:
        ProviderError: It is in no swarm, or manages none.
    """
    with _changing, engine.asked("the Docker engine's swarm cannot be used"):
        swarm: dict[str, Any] = engine.api.info()["Swarm"]
        state = swarm["LocalNodeState"]
        if state == "inactive" and init:
            _init(engine, advertise_addr)
            swarm = engine.api.info()["Swarm"]
        elif state != "active":
            raise ProviderError(
                f"the Docker engine is in no swarm (it is {state}): run `docker swarm init "
                "--advertise-addr 127.0.0.1`, or say SwarmProvider(init_swarm=True)"
            )
        if not swarm["ControlAvailable"]:
            raise ProviderError("the Docker engine is a worker of its swarm: use the engine of a manager")
        _users[engine.address] = _users.get(engine.address, 0) + 1
        return str(swarm["NodeID"])


def leave_swarm(engine: Engine) -> None:
    """End a use; after the last, a swarm that was made here and has no service of others is unmade.

    Raises:
        ProviderError: The engine cannot leave it.
    """
    with _changing:
        _users[engine.address] -= 1
        if _users[engine.address] or engine.address not in _made_here:
            return
        if is_in_swarm(engine):
            with engine.asked("the Docker engine cannot leave its swarm"):
                if engine.api.services():
                    return
                engine.api.leave_swarm(force=True)
        had_gateway = _made_here.pop(engine.address)
        if not had_gateway:
            _remove_gateway(engine)


def is_in_swarm(engine: Engine) -> bool:
    """Whether the engine is in a swarm, if only on its way back to it; else it has no services.

    Raises:
        ProviderError: It does not answer.
    """
    with engine.asked("it cannot be told whether the Docker engine is in a swarm"):
        return bool(engine.api.info()["Swarm"]["LocalNodeState"] != "inactive")


def _init(engine: Engine, address: str) -> None:
    _made_here[engine.address] = bool(engine.api.networks(names=[_GATEWAY]))
    port = _PORT if not engine.address.is_local or _is_free(address, _PORT) else _free_port(address)
    try:
        engine.api.init_swarm(advertise_addr=address, listen_addr=f"{address}:{port}")
    except BaseException:
        del _made_here[engine.address]
        raise


def _remove_gateway(engine: Engine) -> None:
    try:
        with engine.asked(f"the network {_GATEWAY} cannot be removed"):
            engine.api.remove_network(_GATEWAY)
    except NotOnEngineError:
        return  # the engine had no use for one


def _is_free(address: str, port: int) -> bool:
    try:
        socket.create_server((address, port)).close()
    except OSError:
        return False
    return True


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        return int(listener.getsockname()[1])


def _after_fork_in_child() -> None:
    global _changing
    _changing = threading.Lock()  # a thread that is not here may have held it
    _users.clear()
    _made_here.clear()  # what a parent made is the parent's to unmake


os.register_at_fork(after_in_child=_after_fork_in_child)
