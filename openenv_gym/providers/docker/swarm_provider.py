"""Runs servers as services of a Docker swarm, which replaces those that end."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from openenv_gym.errors import ProviderError, UsageError
from openenv_gym.providers.container import ContainerProvider
from openenv_gym.providers.docker.engine import Engine, NotOnEngineError, connect
from openenv_gym.providers.docker.engine_address import EngineAddress, find_engine
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.labels import labels
from openenv_gym.providers.docker.options import TMPFS, ULIMITS
from openenv_gym.providers.docker.pulling import PullPolicy, ensure_image
from openenv_gym.providers.docker.reaper_process import reaper_of
from openenv_gym.providers.docker.report import access_advice, refusal_advice
from openenv_gym.providers.docker.service import PublishMode, ServiceOptions
from openenv_gym.providers.docker.swarm_mode import is_in_swarm, leave_swarm, use_swarm
from openenv_gym.providers.docker.swarm_tasks import how_it_ended, is_over, state_by_tasks, tasks_of
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.server_state import ServerState

_STACK = "com.docker.stack.namespace"  # by which `docker stack ps NAME` shows a provider's services together
_OF_SERVICE = "com.docker.swarm.service.name"
_PORTS = range(20_000, 32_768)  # below those that the kernel gives to connections
_LOG_LINES = 10_000
_PATIENCE = 60.0  # seconds for a swarm to clear what was taken away
_PAUSE = 0.05

_choosing = threading.Lock()
_chosen: set[int] = set()  # by this process; a port is taken only when its container runs


class SwarmProvider(ContainerProvider):
    """Runs ``ServerSpec.image`` as services of the swarm that a Docker engine manages.

    Each of the ``replicas`` is a service with one container and a port of its own, which stays the same for
    its life: when the container ends, the swarm starts another behind the same address, and so it does after
    an engine's restart. Clients find all replicas by the one endpoint, as those of `ProcessProvider`'s
    workers, and keep each session on its replica; behind one shared port a swarm would spread the connections
    of a session over all of them. `Fleet` is no alternative to replicas but may use them: it replaces what
    the swarm cannot keep up.

    The services end with `stop` and with this process, SIGKILL included. Containers are hardened as those of
    `DockerProvider`, as far as swarms can: ``no_new_privileges`` needs an engine of version 25 (without
    capabilities setuid programs gain none before it either), ``/tmp`` executes no programs, memory does not
    bound swap, and ports are open on every address of a node, not on loopback alone: the token guards them.

    Args:
        replicas: How many servers.
        publish: ``"host"``: on this engine's node, where the servers are then placed. ``"ingress"``: on all
            nodes by the swarm's own mesh, wherever they run; that needs IP_VS in the nodes' kernels.
        constraints: Where servers may be placed, for example ``"node.labels.gpu==true"``.
        init_swarm: Whether to make the engine a swarm of its own if it is in none. It leaves that with the
            last server which this process runs there, unless others have services there by then; if this
            process is killed, ``docker swarm leave --force`` does so.
        advertise_addr: The address that the engine has in a swarm made so.
        restart_delay: Seconds before a server that ended is replaced.
        memory: Most memory, in bytes or as ``"512m"``; beyond it the container is killed. ``None``: no limit.
        cpus: Most processors' worth of time, for example ``0.5``. ``None``: no limit.
        pids: Most processes and threads. ``None``: no limit.
        read_only: Whether the image's file system is read-only.
        tmpfs: Directories in memory and their most bytes; they are empty at first and count as memory.
        writable: More directories to write to, on disk and with what the image has there.
        user: ``"uid:gid"`` or a name in the image. By default the image's own, or nobody (65534:65534) if
            that is root; ``"root"`` insists on root.
        cap_drop: Linux capabilities to take away.
        cap_add: Linux capabilities to give nevertheless.
        no_new_privileges: Whether setuid programs gain nothing.
        init: Whether a small init process reaps orphans and passes signals on.
        shm_size: Bytes of ``/dev/shm``.
        log_size: Most bytes of log the engine keeps, twice; ``None``: the engine's own log settings.
        ulimits: Resource limits by their names.
        healthcheck: Whether the swarm runs the image's own health check, and replaces what fails it.
        port: Where the server listens in the container; by default what the image says.
        networks: Overlay networks to join.
        extra_hosts: Names to resolve to addresses.
        volumes: What is mounted where, as ``"/host/path:/path:ro"`` or ``"volume:/path"``, or a mapping.
        command: Replaces the image's command.
        platform: What to pull of an image for several, for example ``"linux/arm64"``.
        pull: When the image is pulled: ``"missing"``, ``"always"`` or ``"never"``.
        engine: The URL of a manager's engine; by default the one that the ``docker`` command uses.
        environ: Environment variables for every server; those of the ``ServerSpec`` win.
        ready_timeout: Seconds from the start until each server has to answer ``GET /health``.
        stop_grace: Seconds a server gets to close its sessions before it is killed.

    Raises:
        UsageError: An option's value is none.
    """

    def __init__(
        self,
        *,
        replicas: int = 1,
        publish: PublishMode = "host",
        constraints: Sequence[str] = (),
        init_swarm: bool = False,
        advertise_addr: str = "127.0.0.1",
        restart_delay: float = 0.5,
        memory: int | str | None = "2g",
        cpus: float | None = 2.0,
        pids: int | None = 512,
        read_only: bool = True,
        tmpfs: Mapping[str, int | str] = TMPFS,
        writable: Sequence[str] = (),
        user: str | None = None,
        cap_drop: Sequence[str] = ("ALL",),
        cap_add: Sequence[str] = (),
        no_new_privileges: bool = True,
        init: bool = True,
        shm_size: int | str = "256m",
        log_size: int | str | None = "1m",
        ulimits: Mapping[str, int] = ULIMITS,
        healthcheck: bool = True,
        port: int | None = None,
        networks: Sequence[str] = (),
        extra_hosts: Mapping[str, str] | None = None,
        volumes: Sequence[str] | Mapping[str, str] = (),
        command: Sequence[str] | None = None,
        platform: str | None = None,
        pull: PullPolicy = "missing",
        engine: str | None = None,
        environ: Mapping[str, str] | None = None,
        ready_timeout: float = 60.0,
        stop_grace: float = 10.0,
    ) -> None:
        super().__init__(environ=environ, ready_timeout=ready_timeout, stop_grace=stop_grace)
        if replicas < 1:
            raise UsageError("replicas= is at least 1")
        self._options = ServiceOptions(
            publish=publish,
            constraints=constraints,
            restart_delay=restart_delay,
            memory=memory,
            cpus=cpus,
            pids=pids,
            read_only=read_only,
            tmpfs=tmpfs,
            writable=writable,
            user=user,
            cap_drop=cap_drop,
            cap_add=cap_add,
            no_new_privileges=no_new_privileges,
            init=init,
            shm_size=shm_size,
            log_size=log_size,
            ulimits=ulimits,
            healthcheck=healthcheck,
            port=port,
            networks=networks,
            extra_hosts=extra_hosts or {},
            volumes=volumes,
            command=command,
            stop_grace=stop_grace,
        )
        self._replicas = replicas
        self._init_swarm = init_swarm
        self._advertise_addr = advertise_addr
        self._platform = platform
        self._pull = pull
        self._engine_url = engine
        self._address: EngineAddress | None = None
        self._image: ImageFacts | None = None
        self._reference = ""
        self._uses_swarm = False
        self._ports: list[int] = []
        self._was_ready = False
        self._last_log = ""
        self._identities: set[str] = set()  # of the services that were removed

    @property
    def base_urls(self) -> list[str]:
        """Where each replica listens, for those who want them by themselves; empty before `start`."""
        host = "" if self._address is None else self._address.host
        return [f"http://{host}:{port}" for port in self._ports]

    # --- what a swarm does ---------------------------------------------------------------------------------

    def prepare(self, spec: ServerSpec) -> None:
        """See `ContainerProvider`."""
        self._address = find_engine(self._engine_url)
        found = ensure_image(
            self._engine(),
            str(spec.image),
            policy=self._pull,
            platform=self._platform,
            check_not_stopped=self.check_not_stopped,
        )
        self._image = ImageFacts.read(str(spec.image), found)
        # Exactly what was found: a node that has it does not ask a registry, and others know where to.
        self._reference = next(iter(found.get("RepoDigests") or ()), found["Id"])

    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        """See `ContainerProvider`."""
        assert self._image is not None
        engine = self._engine()
        node = use_swarm(engine, init=self._init_swarm, advertise_addr=self._advertise_addr)
        self._uses_swarm = True
        self._ports = _choose_ports(self._replicas, is_local=engine.address.is_local)
        services = self._services(name)
        for service in services:
            reaper_of(engine.address).watch(_path(service))
        doing = f"the {spec.name} cannot be run from the image {spec.image!r} as a service"
        with engine.asked(doing, refusal_advice):
            processors = int(engine.api.info()["NCPU"])
            for service, port in zip(services, self._ports, strict=True):
                variables = {**environ, **self._siblings(name, port)}
                task = self._options.task(
                    self._image, self._reference, variables, node=node, processors=processors
                )
                engine.api.create_service(
                    task,
                    name=service,
                    labels={**labels(spec.name, type(self).__name__), _STACK: name},
                    mode={"Replicated": {"Replicas": 1}},
                    endpoint_spec=self._options.endpoint(self._image, port),
                )
        return self.base_urls[0]

    def inspect(self, name: str) -> ServerState:
        """See `ContainerProvider`. As soon as all have been ready, what ends counts as being replaced."""
        engine = self._engine()
        states = []
        try:
            for service in self._services(name):
                tasks = tasks_of(engine, service)
                over = None if self._was_ready else next(filter(is_over, tasks), None)
                if over is not None:
                    return how_it_ended(engine, over)
                states.append(state_by_tasks(engine, tasks))
        except NotOnEngineError:
            return ServerState("ended", "was removed from its swarm")
        return next((state for state in states if state.status != "running"), states[0])

    def read_log(self, name: str) -> str:
        """See `ContainerProvider`. Of several replicas each line says whose it is."""
        engine = self._engine()
        if self._last_log:
            return self._last_log
        try:
            lines = sorted(_logs_of(engine, self._services(name)), key=lambda line: line[0])
        except NotOnEngineError:
            return self._last_log
        many = self._replicas > 1
        return "".join(f"[{service}] {text}" if many else text for _, service, text in lines)

    def end(self, name: str, grace: float) -> None:
        """See `ContainerProvider`."""
        self._last_log = self.read_log(name)  # it goes with the service
        self._remove_services(name)
        give_up_at = time.monotonic() + grace
        while self._is_left(name) and time.monotonic() < give_up_at:
            time.sleep(_PAUSE)

    def remove(self, name: str) -> None:
        """See `ContainerProvider`."""
        self._remove_services(name)
        engine = self._engine()
        give_up_at = time.monotonic() + _PATIENCE
        problem = ""
        while self._is_left(name):
            if time.monotonic() > give_up_at:
                raise ProviderError(f"the swarm does not clear what is left of the service {name}; {problem}")
            for _, container in _containers(engine, self._services(name)):
                try:
                    with engine.asked("a container cannot be removed"):
                        engine.api.remove_container(container, v=True, force=True)
                except ProviderError as error:  # the swarm itself may be about to
                    problem = str(error)
            time.sleep(_PAUSE)
        for service in self._services(name):
            reaper_of(engine.address).forget(_path(service))
        _chosen.difference_update(self._ports)
        if self._uses_swarm:
            self._uses_swarm = False
            leave_swarm(engine)

    def advice(self, state: ServerState, log: str) -> str:
        """See `ContainerProvider`."""
        assert self._image is not None
        if state.status == "unknown":
            return f"it {state.detail}"
        if state.status in ("running", "paused"):
            port = self._options.port_of(self._image)
            source = "port=" if self._options.port else self._image.port_source
            return f"nothing answers GET /health on port {port}, named by {source}"
        if "already in use" in state.detail or "already allocated" in state.detail:
            return "another program has taken the port meanwhile: start it again"
        return refusal_advice(state.detail) or access_advice(log)

    def _wait_until_ready(self, endpoint: Endpoint, name: str) -> None:
        for url in self.base_urls:  # they start side by side
            super()._wait_until_ready(Endpoint(url, endpoint.token), name)
        self._was_ready = True

    # --- parts ---------------------------------------------------------------------------------------------

    def _engine(self) -> Engine:
        assert self._address is not None
        return connect(self._address)

    def _services(self, name: str) -> list[str]:
        return [name] if self._replicas == 1 else [f"{name}-{n}" for n in range(1, self._replicas + 1)]

    def _siblings(self, name: str, port: int) -> dict[str, str]:
        """What tells a server of the others, and it its clients; see `openenv_gym.server.settings`."""
        others = [str(other) for other in self._ports if other != port]
        return {"OPENENV_GYM_GROUP": name, "OPENENV_GYM_SIBLINGS": ",".join(others)} if others else {}

    def _remove_services(self, name: str) -> None:
        engine = self._engine()
        if not is_in_swarm(engine):
            return
        for service in self._services(name):
            with suppress(NotOnEngineError), engine.asked(f"the service {service} cannot be removed"):
                self._identities.add(engine.api.inspect_service(service)["ID"])
                engine.api.remove_service(service)

    def _is_left(self, name: str) -> bool:
        """Whether there is something of the services that were removed, or will be: a task may begin late."""
        engine = self._engine()
        if _containers(engine, self._services(name)):
            return True
        if not self._identities or not is_in_swarm(engine):
            return False
        with engine.asked("the swarm's tasks cannot be listed"):
            tasks = engine.api.tasks()
        return any(task["ServiceID"] in self._identities and not is_over(task) for task in tasks)


DockerSwarmProvider = SwarmProvider


def _path(service: str) -> str:
    """What the reaper deletes."""
    return f"/services/{service}"


def _containers(engine: Engine, services: Sequence[str]) -> list[tuple[str, str]]:
    """Service and id of what this engine has of the services' containers, ended ones too."""
    with engine.asked("the services' containers cannot be listed"):
        found: list[Mapping[str, Any]] = engine.api.containers(all=True, filters={"label": [_OF_SERVICE]})
    ours = [(str(one["Labels"][_OF_SERVICE]), str(one["Id"])) for one in found]
    return [(service, container) for service, container in ours if service in services]


def _logs_of(engine: Engine, services: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Time, service and text of each line."""
    options = {"stdout": True, "stderr": True, "timestamps": True, "tail": _LOG_LINES}
    here = _containers(engine, services)
    for service, container in here:
        with engine.asked(f"the log of the service {service} cannot be read"):
            yield from _lines(service, engine.api.logs(container, **options))
    for service in {*services} - {service for service, _ in here}:  # on other nodes
        with engine.asked(f"the log of the service {service} cannot be read"):
            stream = engine.api.service_logs(service, is_tty=False, **options)
            yield from _lines(service, b"".join(stream))


def _lines(service: str, log: bytes) -> Iterator[tuple[str, str, str]]:
    for line in log.decode(errors="replace").splitlines(keepends=True):
        moment, _, words = line.partition(" ")
        yield moment, service, words


def _choose_ports(count: int, *, is_local: bool) -> list[int]:
    """Ports that nobody uses on this machine, as far as that can be seen before their containers run."""
    with _choosing:
        ports: list[int] = []
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(ports) == count:
                break
            if port not in _chosen and (not is_local or _is_free(port)):
                ports.append(port)
        _chosen.update(ports)
        return ports


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True
