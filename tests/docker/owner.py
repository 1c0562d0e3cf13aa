"""A process that owns a server in a container: ``python owner.py IMAGE WHAT``; prints the container's name.

``WHAT`` it does after the start: ``waits``, ``ends`` without a stop, ``forks`` a child that tries to stop the
server and lives on; or ``dies``: it is killed while the engine makes the container.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from tests.docker.tiny_server import COMMAND


def main(image: str, what: str) -> None:
    provider = (Killed if what == "dies" else DockerProvider)(command=COMMAND)
    spec = ServerSpec(image=image, name="owned")
    provider.start(spec)
    print(provider.name, flush=True)
    if what == "forks":
        if os.fork() == 0:
            provider.stop()
            assert provider.logs() == ""
            print("child", os.getpid(), flush=True)
        time.sleep(3600)
    if what == "waits":
        time.sleep(3600)


class Killed(DockerProvider):
    """Killed when the engine has made the container and before anybody hears of it."""

    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        print(name, flush=True)
        api = self._engine().api
        create = api.create_container_from_config

        def create_and_die(*arguments: object) -> None:
            create(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        api.create_container_from_config = create_and_die
        return super().run(name, spec, environ)


if __name__ == "__main__":
    main(*sys.argv[1:])
