"""Runs a server in a hardened container of a Docker engine."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from openenv_gym.errors import ProviderError, UsageError
from openenv_gym.providers.container import ContainerProvider
from openenv_gym.providers.docker.container import ContainerOptions
from openenv_gym.providers.docker.engine import Engine, NotOnEngineError, connect
from openenv_gym.providers.docker.engine_address import EngineAddress, find_engine
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.labels import labels
from openenv_gym.providers.docker.options import TMPFS, ULIMITS
from openenv_gym.providers.docker.pulling import PullPolicy, ensure_image
from openenv_gym.providers.docker.reaper_process import reaper_of
from openenv_gym.providers.docker.report import access_advice, refusal_advice, state_of
from openenv_gym.providers.endpoint import ServerSpec
from openenv_gym.providers.server_state import ServerState

_logger = logging.getLogger(__name__)
_LOG_LINES = 10_000
_NO_PORT = 1  # nobody listens there
_EVERYWHERE = ("0.0.0.0", "::", "")


class DockerProvider(ContainerProvider):
    """Runs ``ServerSpec.image`` in a container whose port is published on a free loopback port.

    The container ends with `stop` and with this process, however that ends, SIGKILL included. By default it
    can do little harm: it has no capability, gains no privilege, is nobody's or the image's own user, writes
    to nothing but ``/tmp`` and what the image declares as a volume, and is limited in memory, processors,
    processes and log. An image that needs more gets it by the option that names it.

    The container does not inherit this process's environment variables: ``environ`` and
    ``ServerSpec.environ`` are all it gets.

    Args:
        memory: Most memory, in bytes or as ``"512m"``; beyond it the container is killed. ``None``: no limit.
        memory_swap: Most memory and swap together; by default as ``memory``, so no swap.
        cpus: Most processors' worth of time, for example ``0.5``. ``None``: no limit.
        pids: Most processes and threads. ``None``: no limit.
        read_only: Whether the image's file system is read-only.
        tmpfs: Directories in memory and their most bytes; they are empty at first and count as memory.
        writable: More directories to write to, on disk and with what the image has there, beside the image's
            volumes and those its label ``openenv-gym.writable`` names.
        user: ``"uid:gid"`` or a name in the image. By default the image's own, or nobody (65534:65534) if
            that is root; ``"root"`` insists on root.
        cap_drop: Linux capabilities to take away.
        cap_add: Linux capabilities to give nevertheless.
        no_new_privileges: Whether setuid programs gain nothing.
        security_opt: More of the engine's security options, for example ``"apparmor=PROFILE"``.
        init: Whether a small init process reaps orphans and passes signals on.
        ipc: Whose shared memory it uses; its own by default.
        shm_size: Bytes of ``/dev/shm``.
        log_size: Most bytes of log the engine keeps, twice; ``None``: the engine's own log settings.
        ulimits: Resource limits by their names.
        healthcheck: Whether the engine runs the image's own health check.
        port: Where the server listens in the container. By default what the image says, see
            `openenv_gym.providers.docker.image`.
        bind: Address of the engine's machine on which the port is published; others than the loopback's are
            open to a network.
        network: Network to join instead of the engine's default.
        extra_hosts: Names to resolve to addresses; ``"host-gateway"`` is the engine's machine.
        volumes: What is mounted where, as ``"/host/path:/path:ro"`` or ``"volume:/path"``, or a mapping.
        gpus: ``"all"``, a number, or devices' ids.
        runtime: The engine's runtime to use; ``"runsc"`` is gVisor, where the engine has it.
        command: Replaces the image's command.
        platform: What to run of an image for several, for example ``"linux/arm64"``.
        pull: When the image is pulled: ``"missing"``: if it is not there; ``"always"``: to have the
            newest; ``"never"``.
        engine: The engine's URL. By default the one that the ``docker`` command uses: ``DOCKER_HOST``, the
            current context, or this machine's.
        environ: Environment variables for every server; those of the ``ServerSpec`` win.
        ready_timeout: Seconds from the container's start until its server has to answer ``GET /health``.
        stop_grace: Seconds the server gets to close its sessions before it is killed.

    Raises:
        UsageError: An option's value is none.
    """

    def __init__(
        self,
        *,
        memory: int | str | None = "2g",
        memory_swap: int | str | None = None,
        cpus: float | None = 2.0,
        pids: int | None = 512,
        read_only: bool = True,
        tmpfs: Mapping[str, int | str] = TMPFS,
        writable: Sequence[str] = (),
        user: str | None = None,
        cap_drop: Sequence[str] = ("ALL",),
        cap_add: Sequence[str] = (),
        no_new_privileges: bool = True,
        security_opt: Sequence[str] = (),
        init: bool = True,
        ipc: str = "private",
        shm_size: int | str = "256m",
        log_size: int | str | None = "1m",
        ulimits: Mapping[str, int] = ULIMITS,
        healthcheck: bool = True,
        port: int | None = None,
        bind: str = "127.0.0.1",
        network: str | None = None,
        extra_hosts: Mapping[str, str] | None = None,
        volumes: Sequence[str] | Mapping[str, str] = (),
        gpus: str | int | Sequence[str] | None = None,
        runtime: str | None = None,
        command: Sequence[str] | None = None,
        platform: str | None = None,
        pull: PullPolicy = "missing",
        engine: str | None = None,
        environ: Mapping[str, str] | None = None,
        ready_timeout: float = 60.0,
        stop_grace: float = 10.0,
    ) -> None:
        super().__init__(environ=environ, ready_timeout=ready_timeout, stop_grace=stop_grace)
        self._options = ContainerOptions(
            memory=memory,
            memory_swap=memory_swap,
            cpus=cpus,
            pids=pids,
            read_only=read_only,
            tmpfs=tmpfs,
            writable=writable,
            user=user,
            cap_drop=cap_drop,
            cap_add=cap_add,
            no_new_privileges=no_new_privileges,
            security_opt=security_opt,
            init=init,
            ipc=ipc,
            shm_size=shm_size,
            log_size=log_size,
            ulimits=ulimits,
            healthcheck=healthcheck,
            port=port,
            bind=bind,
            network=network,
            extra_hosts=extra_hosts or {},
            volumes=volumes,
            gpus=gpus,
            runtime=runtime,
            command=command,
        )
        self._platform = platform
        self._pull = pull
        self._engine_url = engine
        self._address: EngineAddress | None = None  # found at the start and kept: DOCKER_HOST may change
        self._image: ImageFacts | None = None

    def prepare(self, spec: ServerSpec) -> None:
        """See `ContainerProvider`."""
        self._address = find_engine(self._engine_url)
        if self._options.bind == "127.0.0.1" and not self._address.is_local:
            raise UsageError(
                f"the Docker engine runs on {self._address.host}, and its ports would be open to that "
                "machine alone: bind= names its address to publish them on, in a network that you trust"
            )
        found = ensure_image(
            self._engine(),
            str(spec.image),
            policy=self._pull,
            platform=self._platform,
            check_not_stopped=self.check_not_stopped,
        )
        self._image = ImageFacts.read(str(spec.image), found)

    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        """See `ContainerProvider`."""
        assert self._image is not None
        engine = self._engine()
        configuration = self._options.engine_configuration(
            self._image, environ, labels(spec.name, type(self).__name__)
        )
        if spec.app is not None and self._image.holds(spec.app):
            configuration.setdefault("Cmd", [spec.app])
        reaper_of(engine.address).watch(_path(name))
        doing = f"the {spec.name} cannot be run from the image {spec.image!r}"
        with engine.asked(doing, refusal_advice):
            made = engine.api.create_container_from_config(configuration, name, self._platform)
            for warning in made.get("Warnings") or ():
                _logger.warning("%s: the Docker engine warns: %s", name, warning)  # of limits that it lacks
            engine.start_container(name)
            container = engine.api.inspect_container(name)
        bind = self._options.bind
        host = engine.address.host if bind in _EVERYWHERE or engine.address.host == bind else bind
        return f"http://{host}:{self._published_port(container, doing)}"

    def inspect(self, name: str) -> ServerState:
        """See `ContainerProvider`."""
        engine = self._engine()
        try:
            with engine.asked(f"the container {name} cannot be looked at"):
                return state_of(engine.api.inspect_container(name))
        except NotOnEngineError:
            return ServerState("ended", "was removed from its engine")

    def read_log(self, name: str) -> str:
        """See `ContainerProvider`."""
        engine = self._engine()
        try:
            with engine.asked(f"the log of the container {name} cannot be read"):
                return str(engine.api.logs(name, tail=_LOG_LINES), errors="replace")
        except NotOnEngineError:
            return ""

    def end(self, name: str, grace: float) -> None:
        """See `ContainerProvider`."""
        engine = self._engine()
        with suppress(NotOnEngineError), engine.asked(f"the container {name} cannot be stopped"):
            engine.api.stop(name, timeout=math.ceil(grace))

    def remove(self, name: str) -> None:
        """See `ContainerProvider`."""
        engine = self._engine()
        engine.remove_container(name)
        reaper_of(engine.address).forget(_path(name))

    def advice(self, state: ServerState, log: str) -> str:
        """See `ContainerProvider`."""
        assert self._image is not None
        if state.status in ("running", "paused"):
            port = self._options.port_of(self._image)
            source = "port=" if self._options.port else self._image.port_source
            return (
                f"nothing answers GET /health on port {port}, named by {source}; a server that listens "
                "elsewhere needs port=, and one that listens on 127.0.0.1 alone, not 0.0.0.0, is out of reach"
            )
        architecture = self._engine().architecture
        if self._image.architecture not in ("", architecture):
            return f"the image is for {self._image.architecture}, and the engine runs {architecture}"
        return access_advice(log)

    def _engine(self) -> Engine:
        assert self._address is not None
        return connect(self._address)

    def _published_port(self, container: Mapping[str, Any], doing: str) -> int:
        published = container["NetworkSettings"]["Ports"] or {}
        for bindings in published.values():
            if bindings:
                return int(bindings[0]["HostPort"])
        state = state_of(container)
        if state.status == "ended":  # so soon that there is no port any more; the wait for it tells how
            return _NO_PORT
        raise ProviderError(
            f"{doing}: the engine publishes no port of it; a network= that is internal, or the host's own, "
            "has no published ports"
        )


LocalDockerProvider = DockerProvider


def _path(name: str) -> str:
    """What the reaper deletes; the container's volumes that have no name go along."""
    return f"/containers/{name}?force=1&v=1"
