"""Owners of fleets: `python -m tests.client.fleet.interrupted WAY` tells the processes below, and ends so."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from openenv_gym.client.fleet import Fleet
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.process import ProcessProvider

TINY = Path(__file__).parents[2] / "providers" / "tiny_server.py"


def main(way: str) -> None:
    modes = ["mute"] if way == "in the start" else []
    made: list[ProcessProvider] = []

    def make() -> ProcessProvider:
        made.append(
            ProcessProvider(command=[sys.executable, "-S", str(TINY), "{fd}", *modes], stop_grace=0.2)
        )
        return made[-1]

    def tell() -> None:
        while len(made) < 3 or not all(provider.running for provider in made):
            time.sleep(0.01)
        print(json.dumps([provider.pid for provider in made]), flush=True)

    fleet = Fleet(make, 3, spec=ServerSpec(name="tiny"))
    threading.Thread(target=tell, daemon=True).start()
    if way == "forked":
        with fleet:
            child = os.fork()
            if child == 0:
                fleet.stop()
                sys.exit()  # through all exit hooks
            _, status = os.waitpid(child, 0)
            assert status == 0
            assert all(provider.running for provider in made)
        return
    fleet.start()
    if way == "forgotten":
        fleet._is_stopped = True  # no warning: the exit is to find it
        return
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
