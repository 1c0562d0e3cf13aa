"""Runs programs inside a container, as what gets hold of its server would."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import docker


class Inside:
    """The inside of one running container.

    Args:
        client: Its engine.
        name: The container's.
    """

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self.container = client.containers.get(name)

    def run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run a Python program with the container's own rights; return its exit code and its output."""
        command = ["python", "-I", "-c", textwrap.dedent(program), *arguments]
        code, output = self.container.exec_run(command)
        return code, output.decode(errors="replace")

    def told(self, program: str, *arguments: str) -> Any:
        """Run a Python program that prints JSON; return that."""
        code, output = self.run(program, *arguments)
        assert code == 0, output
        return json.loads(output)
