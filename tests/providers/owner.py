"""An owner of a tiny server: `owner.py ENDING MODE...` starts it, tells its processes, and ends so."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from openenv_gym.providers import ServerSpec
from openenv_gym.providers.process import ProcessProvider


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def below(pid: int) -> list[int]:
    """The processes below one, while nothing forks."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *below(int(child))]
    return found


def tell_when_running(provider: ProcessProvider) -> None:
    while not provider.running:
        time.sleep(0.01)
    tell(running=below(os.getpid()))


def main(ending: str, *modes: str) -> None:
    server = Path(__file__).with_name("tiny_server.py")
    provider = ProcessProvider(command=[sys.executable, "-S", str(server), "{fd}", *modes], stop_grace=0.2)
    if ending == "interrupt":
        threading.Thread(target=tell_when_running, args=[provider], daemon=True).start()
        try:
            provider.start(ServerSpec())
        except KeyboardInterrupt:
            tell(left=below(os.getpid()))
        return
    provider.start(ServerSpec())
    tell(pids=below(os.getpid()))
    if ending == "fork" and os.fork() == 0:
        tell(heir=os.getpid())
        time.sleep(600)
    if ending in ("fork", "killed"):
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
