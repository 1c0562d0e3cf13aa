"""How long a reset and a step of a MiniWoB task take, beside BrowserGym's own environment.

    python benchmarks/browsergym_reset.py [--rounds 8] [--chromium PATH] [--json FILE]

One session each, in this process, in turn, on the same tasks and seeds, with the same browser and with
screenshots; both give the page as text too. BrowserGym's environment is measured as it is, and without the
pauses it makes after each key and before each observation. "Opening" is what a session costs before its first
reset: the browser and what drives it, without Python's imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import miniwob
import playwright.sync_api
from browsergym.core.env import BrowserEnv
from browsergym.utils.obs import flatten_axtree_to_str, flatten_dom_to_str, prune_html

from browsergym_env import BrowserGymAction
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.settings import BrowserGymSettings
from browsergym_env.server.static_site import StaticSite

TASKS = ("click-test", "click-button", "enter-text", "login-user", "choose-list")
Times = dict[str, list[float]]


@contextmanager
def clock(times: Times, what: str) -> Iterator[None]:
    """Add the seconds that a block takes."""
    started = time.perf_counter()
    yield
    times.setdefault(what, []).append(time.perf_counter() - started)


def play_ours(env: BrowserGymEnvironment, task: str, seed: int, times: Times) -> None:
    """One reset, and a click on the first thing that can be clicked."""
    with clock(times, "reset"):
        seen = env.reset(seed=seed, task_name=task)
    action = BrowserGymAction(action_str=f"click('{clickable(seen.axtree_txt)}')")
    with clock(times, "step"):
        seen = env.step(action)
    assert not seen.error, seen.error


def play_theirs(env: BrowserEnv, task: str, seed: int, times: Times) -> None:
    """The same in BrowserGym's environment."""
    env.task_entrypoint = gymnasium.spec(f"browsergym/miniwob.{task}").entry_point().task_entrypoint
    with clock(times, "reset"):
        seen, _ = env.reset(seed=seed)
        text = texts(seen)
    with clock(times, "step"):
        seen, *_ = env.step(f"click('{clickable(text)}')")
        texts(seen)
    assert not seen["last_action_error"], seen["last_action_error"]


def texts(seen: dict[str, Any]) -> str:
    """Turn a page into text, as our observation has it."""
    prune_html(flatten_dom_to_str(seen["dom_object"]))
    return str(flatten_axtree_to_str(seen["axtree_object"]))


def clickable(tree: str) -> str:
    """The first button's or text box's id."""
    found = re.search(r"\[(\d+)\] (?:button|textbox)", tree)
    assert found is not None, tree
    return found[1]


def use_browser(path: str) -> None:
    """Have BrowserGym start this browser; as root it runs without the sandbox that ours has."""
    launch = playwright.sync_api.BrowserType.launch

    def launch_this(self: Any, *, args: Any = (), executable_path: Any = None, **options: Any) -> Any:
        return launch(self, executable_path=executable_path or path, args=[*args, "--no-sandbox"], **options)

    playwright.sync_api.BrowserType.launch = launch_this  # type: ignore[method-assign]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--chromium", default="")
    parser.add_argument("--json")
    options = parser.parse_args()
    # In this process, so that BrowserGym's browsers find it without our resolver's rules.
    site = StaticSite(Path(miniwob.__file__).parent / "html")
    url = f"http://{site.address}/miniwob/"
    os.environ["MINIWOB_URL"] = url
    opening: Times = {}
    with clock(opening, "open"):
        ours = BrowserGymEnvironment(
            BrowserGymSettings(include_screenshot=True, miniwob_url=url, chromium=options.chromium)
        )
    use_browser(str(ours._browser.executable))  # type: ignore[union-attr]
    contenders: dict[str, tuple[Callable[..., None], Any, Times]] = {
        "openenv-gym": (play_ours, ours, opening),
        "BrowserGym": (play_theirs, BrowserEnv(None), {}),
        "BrowserGym without pauses": (play_theirs, BrowserEnv(None, slow_mo=0, pre_observation_delay=0), {}),
    }
    for play, env, _ in contenders.values():
        play(env, TASKS[0], 0, {})  # the first of each finds nothing warm
    for number in range(options.rounds):
        for play, env, times in contenders.values():
            play(env, TASKS[number % len(TASKS)], number, times)
    print(f"Chromium {ours._browser.version}, {platform.machine()}, {os.cpu_count()} cores")  # type: ignore[union-attr]
    print(f"opening a session: {opening['open'][0]:.2f} s")
    for name, (_, _, times) in contenders.items():
        told = (
            f"{what} {1000 * statistics.median(seconds):5.0f} ms p50, {1000 * max(seconds):5.0f} worst"
            for what in ("reset", "step")
            for seconds in (times[what],)
        )
        print(f"{name:26} {'; '.join(told)}")
    if options.json:
        measured = {name: times for name, (_, _, times) in contenders.items()}
        Path(options.json).write_text(json.dumps(measured), encoding="utf-8")
    for _, env, _ in reversed(contenders.values()):
        env.close()
    site.close()


if __name__ == "__main__":
    main()
