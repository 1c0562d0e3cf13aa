"""What a container of its own may use, and how that is said to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.options import EngineOptions, in_bytes

_PERIOD = 100_000  # microseconds: the kernel's usual accounting period


@dataclass(frozen=True, kw_only=True)
class ContainerOptions(EngineOptions):
    """The options of `DockerProvider` that describe its container; it documents them and their defaults."""

    memory_swap: int | str | None
    security_opt: Sequence[str]
    ipc: str
    bind: str
    network: str | None
    gpus: str | int | Sequence[str] | None
    runtime: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory_swap is not None:
            in_bytes(self.memory_swap, "memory_swap")
            if self.memory is None:
                raise UsageError("memory_swap= limits memory and swap together: give memory= too")

    def engine_configuration(
        self, image: ImageFacts, environ: Mapping[str, str], labels: Mapping[str, str]
    ) -> dict[str, Any]:
        """The body of the engine's ``POST /containers/create`` for a container of that image."""
        port = f"{self.port_of(image)}/tcp"
        user, variables = self.user_and_environ(image, environ)
        configuration: dict[str, Any] = {
            "Image": image.name,
            "Env": variables,
            "Labels": dict(labels),
            "ExposedPorts": {port: {}},
            "Volumes": {path: {} for path in (*image.writable, *self.writable)},
            "HostConfig": self._host_configuration(port),
        }
        if user is not None:
            configuration["User"] = user
        if self.command is not None:
            configuration["Cmd"] = list(self.command)
        if not self.healthcheck:
            configuration["Healthcheck"] = {"Test": ["NONE"]}
        return configuration

    def _host_configuration(self, port: str) -> dict[str, Any]:
        return {
            **self._limits(),
            **self._confinement(),
            "PortBindings": {port: [{"HostIp": self.bind, "HostPort": ""}]},  # the engine picks a free one
            "NetworkMode": self.network or "default",
            "ExtraHosts": [f"{host}:{address}" for host, address in self.extra_hosts.items()],
            "Binds": self.volume_list(),
            "Init": self.init,
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,  # its log is wanted after its end
            "Runtime": self.runtime or "",
            "DeviceRequests": self._device_requests(),
        }

    def _limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = {
            "ShmSize": in_bytes(self.shm_size, "shm_size"),
            "Ulimits": self.ulimit_list(),
        }
        if self.memory is not None:
            both = self.memory if self.memory_swap is None else self.memory_swap  # equal: no swap
            limits |= {"Memory": in_bytes(self.memory, "memory"), "MemorySwap": in_bytes(both, "memory_swap")}
        if self.cpus is not None:
            # Not NanoCpus: the engine refuses those beyond the number of its processors.
            limits |= {"CpuPeriod": _PERIOD, "CpuQuota": int(self.cpus * _PERIOD)}
        if self.pids is not None:
            limits["PidsLimit"] = self.pids
        log_options = self.log_options()
        if log_options is not None:
            limits["LogConfig"] = {"Type": "json-file", "Config": log_options}
        return limits

    def _confinement(self) -> dict[str, Any]:
        security = list(self.security_opt)
        if self.no_new_privileges:
            security.insert(0, "no-new-privileges")
        mounts = {
            # Agents build and run programs there, so it is not noexec; where the image's own
            # interpreters run, noexec would keep nobody from anything.
            path: f"rw,exec,nosuid,nodev,mode=1777,size={in_bytes(size, 'tmpfs')}"
            for path, size in self.tmpfs.items()
        }
        return {
            "CapDrop": list(self.cap_drop),
            "CapAdd": list(self.cap_add),
            "SecurityOpt": security,
            "Privileged": False,
            "ReadonlyRootfs": self.read_only,
            "Tmpfs": mounts,
            "IpcMode": self.ipc,
        }

    def _device_requests(self) -> list[dict[str, Any]]:
        if self.gpus is None:
            return []
        request: dict[str, Any] = {"Capabilities": [["gpu"]]}
        if self.gpus == "all":
            request["Count"] = -1
        elif isinstance(self.gpus, int):
            request["Count"] = self.gpus
        else:
            request["DeviceIDs"] = [self.gpus] if isinstance(self.gpus, str) else list(self.gpus)
        return [request]
