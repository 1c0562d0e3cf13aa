from __future__ import annotations

import subprocess
import sys

# Loads what takes its place in every full collection, then keeps as many objects as calls under way do.
PROGRAM = """
import gc, sys
from openenv_gym.server.garbage_collector import garbage_collector

loaded = [[number] for number in range(100_000)]
if "app" in sys.argv:
    gc.set_threshold(500, 5, 5)
if "spare" in sys.argv:
    garbage_collector.spare_what_lives_long()
full = []
gc.callbacks.append(lambda phase, info: full.append(info) if info["generation"] == 2 else None)
kept = [[number] for number in range(200_000)]
print(len(full), any(one is loaded for one in gc.get_objects()), gc.get_threshold() == (500, 5, 5))
"""


def run(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def test_calls_under_way_cause_no_look_at_every_object() -> None:
    by_default, looks_at_loaded, _ = run()
    assert (int(by_default) > 0, looks_at_loaded) == (True, "True")
    assert run("spare") == ["0", "False", "False"]


def test_an_apps_own_thresholds_stand() -> None:
    assert run("spare", "app")[1:] == ["False", "True"]


# Closes sessions whose environments refer to themselves while five hundred others are open, then the others.
CLOSING = """
from openenv_gym.server.garbage_collector import garbage_collector

class Environment:
    living = 0

    def __init__(self):
        self.myself = self
        Environment.living += 1

    def __del__(self):
        Environment.living -= 1

garbage_collector.spare_what_lives_long()
most = 0
for still_open in [500] * 2000 + list(reversed(range(500))):
    Environment()
    garbage_collector.session_closed(still_open)
    most = max(most, Environment.living)
print(most, Environment.living)
"""


def test_environments_that_refer_to_themselves_do_not_pile_up() -> None:
    command = [sys.executable, "-c", CLOSING]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    most, left = map(int, done.stdout.split())
    assert most <= 500
    assert left <= 32
