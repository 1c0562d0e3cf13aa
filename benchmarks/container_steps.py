"""Steps a second of sessions in containers, and in the same servers without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import docker
from contenders import ECHO, Measure, remote_vector_env
from measuring import alternate, rate

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.fleet import Fleet
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import probe

APP = "echo_env.server.app:app"
SERVERS = 4
_READY_TIMEOUT = 120.0


def measure_steps(
    client: docker.DockerClient, image: str, sessions: int, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Measure all ways round by round.

    Args:
        client: The engine.
        image: Echo's.
        sessions: How many, on all servers together.
        rounds: How often.
        seconds: How long each time.

    Returns:
        Each one's steps a second, by round.
    """
    environ = {"MAX_CONCURRENT_ENVS": str(2 * sessions)}
    process = partial(ProcessProvider, ready_timeout=_READY_TIMEOUT)
    container = partial(DockerProvider, ready_timeout=_READY_TIMEOUT)
    app, built = ServerSpec(app=APP, environ=environ), ServerSpec(image=image, environ=environ)
    with ExitStack() as stack:
        one = stack.enter_context(process()).start(app)
        contained_by = stack.enter_context(container())
        contained = contained_by.start(built)
        ways = {
            "one process": remote_vector_env(one, sessions),
            "one container": remote_vector_env(contained, sessions),
            f"{SERVERS} processes": _fleet(process(), app, sessions),
            f"{SERVERS} containers": _fleet(container(), built, sessions),
        }
        direct = _without_forwarding(client, contained_by.name, contained)
        if probe(direct, timeout=1.0) is None:  # not from where the engine is in a machine of its own
            ways["one container, by its own address"] = remote_vector_env(direct, sessions)
        measures = {name: partial(stack.enter_context(way), seconds) for name, way in ways.items()}
        return alternate(measures, rounds)


@contextmanager
def _fleet(provider: Provider, spec: ServerSpec, sessions: int) -> Iterator[Measure]:
    fleet = Fleet(provider, SERVERS, spec=spec, progress=False)
    with RemoteVectorEnv(provider=fleet, num_envs=sessions) as envs:
        envs.reset(seed=1)
        actions = [ECHO] * sessions
        yield lambda seconds: rate(lambda: envs.step(actions), seconds, sessions)


def _without_forwarding(client: docker.DockerClient, name: str, endpoint: Endpoint) -> Endpoint:
    """Where a container listens on the engine's bridge."""
    networks = client.containers.get(name).attrs["NetworkSettings"]["Networks"]
    (address,) = (network["IPAddress"] for network in networks.values())
    return Endpoint(f"http://{address}:8000", endpoint.token)
