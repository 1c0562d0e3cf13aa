"""Projects of compose, run as a user does: in a copy of ``servers/``, by whichever program is installed."""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import docker
import httpx

from tests.client.patience import wait_until
from tests.docker.ingredients import ROOT

_PROJECT_LABEL = "com.docker.compose.project"
_NOTES = "arguments"
_PROGRAMS = ("docker", "docker-compose", "curl")


class ComposeProject:
    """One folder of ``servers/``, copied, with a project name and settings of its own.

    All programs that it runs are noted with their arguments.

    Args:
        client: The engine that it runs on.
        folder: An empty one, to copy to.
        name: Of the folder below ``servers/``.
        settings: What its ``.env`` says otherwise than ``.env.example``.
    """

    def __init__(
        self, client: docker.DockerClient, folder: Path, name: str, settings: Mapping[str, str]
    ) -> None:
        self._client = client
        shutil.copytree(ROOT / "servers", folder / "servers", ignore=shutil.ignore_patterns(".env"))
        self.folder = folder / "servers" / name
        self.project = f"test-{name}-{folder.name.lower()}"
        self._notes = folder / _NOTES
        self._programs = folder / "bin"
        self._programs.mkdir()
        for program in _PROGRAMS:
            self._note_arguments(program)
        self.set(**settings, COMPOSE_PROJECT_NAME=self.project)

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def settings(self) -> dict[str, str]:
        """What ``.env`` says."""
        lines = self.env_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    @property
    def arguments(self) -> str:
        """Those of all programs so far."""
        return self._notes.read_text()

    def set(self, **settings: str) -> None:
        """Change ``.env`` as a user does: the lines of ``.env.example``, with other values."""
        if not self.env_file.exists():
            shutil.copy(self.folder / ".env.example", self.env_file)
        text = self.env_file.read_text()
        for name, value in settings.items():
            text, found = re.subn(rf"^#?{name}=.*$", lambda _, n=name, v=value: f"{n}={v}", text, flags=re.M)
            assert found == 1, f"{name} is in .env.example {found} times"
        self.env_file.write_text(text)

    def run(self, *command: str) -> str:
        """Run a command in the folder; what it printed."""
        environ = {**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def compose(self, *arguments: str) -> str:
        """Run compose; what it printed."""
        return self.run(*compose_program(), *arguments)

    def containers(self, service: str) -> list[docker.models.containers.Container]:
        """Those of a service."""
        labels = [f"{_PROJECT_LABEL}={self.project}", f"com.docker.compose.service={service}"]
        return list(self._client.containers.list(all=True, filters={"label": labels}))

    def down(self) -> list[str]:
        """End it; the names of what is left."""
        self.compose("down", "--volumes", "--timeout", "5")
        mine = {"label": f"{_PROJECT_LABEL}={self.project}"}
        left = [
            *self._client.containers.list(all=True, filters=mine),
            *self._client.networks.list(filters=mine),
            *self._client.volumes.list(filters=mine),
        ]
        return [found.name for found in left]

    def _note_arguments(self, program: str) -> None:
        real = shutil.which(program)
        if real is None:
            return
        script = self._programs / program
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" {program} "$@" >>{self._notes}\nexec {real} "$@"\n')
        script.chmod(0o755)


@functools.cache
def compose_program() -> tuple[str, ...]:
    """Docker's plugin, or the older program of its own; ``tools/system.sh`` installs one."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if plugin.returncode == 0 else ("docker-compose",)


def free_ports(count: int = 1) -> range:
    """Neighbouring ports of loopback that are free now."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            first = probe.getsockname()[1]
        ports = range(first, first + count)
        if ports.stop < 65536 and all(map(_is_free, ports)):
            return ports
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def wait_until_healthy(*urls: str) -> None:
    """Return when every server answers."""
    for url in urls:
        wait_until(lambda url=url: _answers(url), seconds=60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
