"""What a Swarm service's container may use, and how that is said to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.options import EngineOptions, check_words, in_bytes

PublishMode = Literal["host", "ingress"]

_NANO = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ServiceOptions(EngineOptions):
    """The options of `SwarmProvider` that describe its services; it documents them and their defaults."""

    publish: PublishMode
    constraints: Sequence[str]
    restart_delay: float
    networks: Sequence[str]
    stop_grace: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.publish not in ("host", "ingress"):
            raise UsageError(f"publish={self.publish!r} is neither 'host' nor 'ingress'")
        check_words(constraints=self.constraints, networks=self.networks)

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
        log_options = self.log_options()
        if log_options is not None:
            task["LogDriver"] = {"Name": "json-file", "Options": log_options}
        return task

    def endpoint(self, image: ImageFacts, published: int) -> dict[str, Any]:
        """The ``EndpointSpec``: the server's port, published as that one."""
        port = {
            "Protocol": "tcp",
            "TargetPort": self.port_of(image),
            "PublishedPort": published,
            "PublishMode": self.publish,
        }
        # Without a virtual address where the mesh is not used, so that no kernel support for it is needed.
        return {"Mode": "dnsrr" if self.publish == "host" else "vip", "Ports": [port]}

    def _container(self, image: ImageFacts, reference: str, environ: Mapping[str, str]) -> dict[str, Any]:
        user, variables = self.user_and_environ(image, environ)
        container: dict[str, Any] = {
            "Image": reference,
            "Env": variables,
            "Init": self.init,
            "ReadOnly": self.read_only,
            "CapabilityDrop": list(self.cap_drop),
            "CapabilityAdd": list(self.cap_add),
            # Engines before 25 pass over it.
            "Privileges": {"NoNewPrivileges": self.no_new_privileges},
            "Ulimits": self.ulimit_list(),
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
            *map(_mount, self.volume_list()),
        ]


def _mount(volume: str) -> dict[str, Any]:
    """Read ``SOURCE:TARGET[:ro]``."""
    source, _, rest = volume.partition(":")
    target, _, option = rest.partition(":")
    if not source or not target or option not in ("", "ro", "rw"):
        raise UsageError(f"volumes= {volume!r} is not SOURCE:TARGET or SOURCE:TARGET:ro")
    kind = "bind" if source.startswith("/") else "volume"
    return {"Type": kind, "Source": source, "Target": target, "ReadOnly": option == "ro"}
