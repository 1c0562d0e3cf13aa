"""What a Swarm service's container may use, and how that is said to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.options import identity, in_bytes

PublishMode = Literal["host", "ingress"]

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """The options of `SwarmProvider` that describe its services; it documents them and their defaults."""

    publish: PublishMode
    constraints: Sequence[str]
    restart_delay: float
    memory: int | str | None
    cpus: float | None
    pids: int | None
    read_only: bool
    tmpfs: Mapping[str, int | str]
    writable: Sequence[str]
    user: str | None
    cap_drop: Sequence[str]
    cap_add: Sequence[str]
    no_new_privileges: bool
    init: bool
    shm_size: int | str
    log_size: int | str | None
    ulimits: Mapping[str, int]
    healthcheck: bool
    port: int | None
    networks: Sequence[str]
    extra_hosts: Mapping[str, str]
    volumes: Sequence[str] | Mapping[str, str]
    command: Sequence[str] | None
    stop_grace: float

    def __post_init__(self) -> None:
        for name in ("memory", "shm_size", "log_size"):
            value = getattr(self, name)
            if value is not None:
                in_bytes(value, name)
        for path, size in self.tmpfs.items():
            in_bytes(size, f"tmpfs[{path!r}]")
        if self.publish not in ("host", "ingress"):
            raise UsageError(f"publish={self.publish!r} is neither 'host' nor 'ingress'")
        if any(isinstance(words, str) for words in (self.command, self.constraints, self.networks)):
            raise UsageError("command=, constraints= and networks= are lists of words")

    def task(
        self, image: ImageFacts, reference: str, environ: Mapping[str, str], *, node: str, processors: int
    ) -> dict[str, Any]:
        """The ``TaskTemplate`` of the engine's ``POST /services/create``.

        Args:
            image: What the image declares.
            reference: What names it on every node that may run it.
            environ: All environment variables.
            node: The engine's own node.
            processors: How many that has.
        """
        limits: dict[str, Any] = {}
        if self.memory is not None:
            limits["MemoryBytes"] = in_bytes(self.memory, "memory")
        if self.cpus is not None:
            limits["NanoCPUs"] = int(min(self.cpus, processors) * _NANO)  # more would be refused
        if self.pids is not None:
            limits["Pids"] = self.pids
        constraints = list(self.constraints)
        if self.publish == "host":
            constraints.append(f"node.id=={node}")  # whose address is known
        task: dict[str, Any] = {
            "ContainerSpec": self._container(image, reference, environ),
            "Resources": {"Limits": limits},
            "RestartPolicy": {"Condition": "any", "Delay": int(self.restart_delay * _NANO)},
            "Placement": {"Constraints": constraints},
            "Networks": [{"Target": network} for network in self.networks],
        }
        if self.log_size is not None:
            size = str(in_bytes(self.log_size, "log_size"))
            task["LogDriver"] = {"Name": "json-file", "Options": {"max-size": size, "max-file": "2"}}
        return task

    def endpoint(self, image: ImageFacts, published: int) -> dict[str, Any]:
        """The ``EndpointSpec``: the server's port, published as that one."""
        target = self.port or image.port
        port = {
            "Protocol": "tcp",
            "TargetPort": target,
            "PublishedPort": published,
            "PublishMode": self.publish,
        }
        # Without a virtual address where the mesh is not used, so that no kernel support for it is needed.
        return {"Mode": "dnsrr" if self.publish == "host" else "vip", "Ports": [port]}

    def _container(self, image: ImageFacts, reference: str, environ: Mapping[str, str]) -> dict[str, Any]:
        user, more = identity(image, self.user, environ)
        container: dict[str, Any] = {
            "Image": reference,
            "Env": [f"{name}={value}" for name, value in {**environ, **more}.items()],
            "Init": self.init,
            "ReadOnly": self.read_only,
            "CapabilityDrop": list(self.cap_drop),
            "CapabilityAdd": list(self.cap_add),
            # Engines before 25 pass over it.
            "Privileges": {"NoNewPrivileges": self.no_new_privileges},
            "Ulimits": [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in self.ulimits.items()],
            "Mounts": self._mounts(image),
            "Hosts": [f"{address} {host}" for host, address in self.extra_hosts.items()],
            "StopGracePeriod": int(self.stop_grace * _NANO),
        }
        if user is not None:
            container["User"] = user
        if self.command is not None:
            container["Args"] = list(self.command)
        if not self.healthcheck:
            container["HealthCheck"] = {"Test": ["NONE"]}
        return container

    def _mounts(self, image: ImageFacts) -> list[dict[str, Any]]:
        memory = {"/dev/shm": self.shm_size, **self.tmpfs}
        return [
            *(
                {
                    "Type": "tmpfs",
                    "Target": path,
                    "TmpfsOptions": {"SizeBytes": in_bytes(size, "tmpfs"), "Mode": 0o1777},
                }
                for path, size in memory.items()
            ),
            *({"Type": "volume", "Target": path} for path in (*image.writable, *self.writable)),
            *map(_mount, _volumes(self.volumes)),
        ]


def _volumes(volumes: Sequence[str] | Mapping[str, str]) -> list[str]:
    if isinstance(volumes, Mapping):
        return [f"{source}:{target}" for source, target in volumes.items()]
    return list(volumes)


def _mount(volume: str) -> dict[str, Any]:
    """Read ``SOURCE:TARGET[:ro]``."""
    source, _, rest = volume.partition(":")
    target, _, option = rest.partition(":")
    if not source or not target or option not in ("", "ro", "rw"):
        raise UsageError(f"volumes= {volume!r} is not SOURCE:TARGET or SOURCE:TARGET:ro")
    kind = "bind" if source.startswith("/") else "volume"
    return {"Type": kind, "Source": source, "Target": target, "ReadOnly": option == "ro"}
