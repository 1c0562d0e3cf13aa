"""What a container may use, and how that is said to the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker.image import ImageFacts

NOBODY = "65534:65534"
_PERIOD = 100_000  # microseconds: the kernel's usual accounting period
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """The options of `DockerProvider` that describe its container; it documents them and their defaults."""

    memory: int | str | None
    memory_swap: int | str | None
    cpus: float | None
    pids: int | None
    read_only: bool
    tmpfs: Mapping[str, int | str]
    writable: Sequence[str]
    user: str | None
    cap_drop: Sequence[str]
    cap_add: Sequence[str]
    no_new_privileges: bool
    security_opt: Sequence[str]
    init: bool
    ipc: str
    shm_size: int | str
    log_size: int | str | None
    ulimits: Mapping[str, int]
    healthcheck: bool
    port: int | None
    bind: str
    network: str | None
    extra_hosts: Mapping[str, str]
    volumes: Sequence[str] | Mapping[str, str]
    gpus: str | int | Sequence[str] | None
    runtime: str | None
    command: Sequence[str] | None

    def __post_init__(self) -> None:
        for name in ("memory", "memory_swap", "shm_size", "log_size"):
            value = getattr(self, name)
            if value is not None:
                in_bytes(value, name)
        for path, size in self.tmpfs.items():
            in_bytes(size, f"tmpfs[{path!r}]")
        if self.memory is None and self.memory_swap is not None:
            raise UsageError("memory_swap= limits memory and swap together: give memory= too")
        if isinstance(self.command, str):
            raise UsageError("command= is a list of words, as no shell reads it")

    def engine_configuration(
        self, image: ImageFacts, environ: Mapping[str, str], labels: Mapping[str, str]
    ) -> dict[str, Any]:
        """The body of the engine's ``POST /containers/create`` for a container of that image."""
        port = f"{self.port or image.port}/tcp"
        user, more = identity(image, self.user, environ)
        configuration: dict[str, Any] = {
            "Image": image.name,
            "Env": [f"{name}={value}" for name, value in {**environ, **more}.items()],
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
        binds = self.volumes
        if isinstance(binds, Mapping):
            binds = [f"{source}:{target}" for source, target in binds.items()]
        return {
            **self._limits(),
            **self._confinement(),
            "PortBindings": {port: [{"HostIp": self.bind, "HostPort": ""}]},  # the engine picks a free one
            "NetworkMode": self.network or "default",
            "ExtraHosts": [f"{host}:{address}" for host, address in self.extra_hosts.items()],
            "Binds": list(binds),
            "Init": self.init,
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,  # its log is wanted after its end
            "Runtime": self.runtime or "",
            "DeviceRequests": self._device_requests(),
        }

    def _limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = {
            "ShmSize": in_bytes(self.shm_size, "shm_size"),
            "Ulimits": [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in self.ulimits.items()],
        }
        if self.memory is not None:
            both = self.memory if self.memory_swap is None else self.memory_swap  # equal: no swap
            limits |= {"Memory": in_bytes(self.memory, "memory"), "MemorySwap": in_bytes(both, "memory_swap")}
        if self.cpus is not None:
            # Not NanoCpus: the engine refuses those beyond the number of its processors.
            limits |= {"CpuPeriod": _PERIOD, "CpuQuota": int(self.cpus * _PERIOD)}
        if self.pids is not None:
            limits["PidsLimit"] = self.pids
        if self.log_size is not None:
            size = str(in_bytes(self.log_size, "log_size"))
            limits["LogConfig"] = {"Type": "json-file", "Config": {"max-size": size, "max-file": "2"}}
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


def identity(
    image: ImageFacts, user: str | None, environ: Mapping[str, str]
) -> tuple[str | None, dict[str, str]]:
    """Who runs a container, ``None`` for its image's own user, and the variables that this one needs."""
    if user is not None or not image.runs_as_root:
        return user, {}
    # Root's own home would be closed to nobody.
    return NOBODY, {} if image.sets_home or "HOME" in environ else {"HOME": "/tmp"}


def in_bytes(size: int | str, name: str) -> int:
    """A size such as ``"512m"`` in bytes.

    Raises:
        UsageError: It is none.
    """
    if isinstance(size, int):
        return size
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise UsageError(
            f"{name}={size!r} is not a size: write bytes as a number, or for example '512m' or '2g'"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])
