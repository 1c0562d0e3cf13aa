"""A process with an embedded server, and children of every kind that ask for the same one."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import urllib.request
from pathlib import Path

from openenv_gym.providers import ServerSpec, embedded

SPEC = ServerSpec(app="plain_app:app")


def tell(name: str, lease: embedded.Lease) -> None:
    with urllib.request.urlopen(lease.endpoint.base_url, timeout=60) as reply:
        line = json.dumps([name, {"server": json.load(reply)["pid"]}]) + "\n"
    os.write(1, line.encode())  # at once: print() writes the line's end by itself, after another's line maybe


def heir(name: str) -> None:
    tell(name, embedded.acquire(SPEC))  # not released: its end must do


def main() -> None:
    inherited = embedded.acquire(SPEC)
    tell("before", inherited)
    child = os.fork()
    if child == 0:
        heir("os.fork")
        inherited.release()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    processes = [
        multiprocessing.get_context(method).Process(target=heir, args=[method])
        for method in ("fork", "spawn", "forkserver")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0, process
    tell("after", inherited)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
