"""Every task of MiniWoB behaves as in BrowserGym's own environment; a sample unless all are asked."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import miniwob
import numpy as np
import playwright.sync_api
import pytest
from browsergym.core.action.highlevel import HighLevelActionSet
from browsergym.core.env import BrowserEnv
from browsergym.miniwob import ALL_MINIWOB_TASKS
from browsergym.utils.obs import flatten_axtree_to_str, flatten_dom_to_str, prune_html

from browsergym_env import BrowserGymAction, BrowserGymObservation
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.settings import BrowserGymSettings
from browsergym_env.server.static_site import StaticSite

pytestmark = pytest.mark.timeout(300)

_SAMPLE = 3
_STEPS = 2
TASKS = sorted(task.subdomain for task in ALL_MINIWOB_TASKS)
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    TASKS = sorted(random.Random(4).sample(TASKS, _SAMPLE))

# They change with the clock, an opening animation and a ticking price, in both environments.
ANIMATED = {"click-pie", "stock-market"}

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def ours() -> Iterator[BrowserGymEnvironment]:
    """The environment under test, on pages that are served for both."""
    site = StaticSite(Path(miniwob.__file__).parent / "html")
    url = f"http://{site.address}/miniwob/"
    environment = BrowserGymEnvironment(BrowserGymSettings(include_screenshot=True, miniwob_url=url))
    yield environment
    environment.close()
    site.close()


@pytest.fixture(scope="module")
def theirs(ours: BrowserGymEnvironment) -> Iterator[BrowserEnv]:
    """BrowserGym's environment, with the same browser, unconfined, and without pauses between the keys."""
    patch = pytest.MonkeyPatch()
    launch = playwright.sync_api.BrowserType.launch
    assert ours._browser is not None

    def launch_same(self: Any, *, args: Any = (), executable_path: Any = None, **options: Any) -> Any:
        path = executable_path or ours._browser.executable
        return launch(self, executable_path=path, args=[*args, "--no-sandbox"], **options)

    patch.setattr(playwright.sync_api.BrowserType, "launch", launch_same)
    patch.setenv("MINIWOB_URL", ours._benchmark._task_arguments["base_url"])
    actions = HighLevelActionSet(["chat", "infeas", "bid", "coord", "nav", "tab"])
    environment = BrowserEnv(None, slow_mo=0, action_mapping=actions.to_python_code)
    yield environment
    environment.close()
    patch.undo()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_browsergyms(task: str, ours: BrowserGymEnvironment, theirs: BrowserEnv) -> None:
    theirs.task_entrypoint = gymnasium.spec(f"browsergym/miniwob.{task}").entry_point().task_entrypoint
    expected, _ = theirs.reset(seed=5)
    seen = ours.reset(seed=5, task_name=task)
    first = seen.model_dump()
    assert seen.goal == expected["goal"]
    if task in ANIMATED:
        return
    assert differing_share(seen.screenshot, expected["screenshot"]) < 0.005
    told = seen.metadata["browsergym_obs"]
    assert told["extra_element_properties"] == expected["extra_element_properties"]
    assert_same(seen, expected)
    rng = random.Random(task)
    for _ in range(_STEPS):
        action = choose(seen, rng)
        seen = ours.step(BrowserGymAction(action_str=action))
        expected, reward, terminated, _, _ = theirs.step(action)
        assert_same(seen, expected)
        assert (seen.reward, seen.done) == (float(reward), terminated)
        if seen.done:
            break
    again = ours.reset(seed=5, task_name=task).model_dump()
    assert np.array_equal(again.pop("screenshot"), first.pop("screenshot"))
    assert again == first


def differing_share(one: Any, other: Any) -> float:
    """How many pixels differ visibly: lines are smoothed in two ways."""
    return float((np.abs(one.astype(int) - other).max(axis=-1) > 8).mean())


def choose(seen: BrowserGymObservation, rng: random.Random) -> str:
    """Do something with an element that can be seen and clicked, if there is any."""
    elements = seen.metadata["browsergym_obs"]["extra_element_properties"]
    bids = sorted(bid for bid, about in elements.items() if about["clickable"] and about["visibility"] > 0.5)
    if not bids:
        return "mouse_click(120, 150)"
    bid = rng.choice(bids)
    return rng.choice([f"click('{bid}')", f"click('{bid}') keyboard_type('a')", f"fill('{bid}', 'hello')"])


def assert_same(seen: BrowserGymObservation, expected: Seen) -> None:
    """Compare what both have seen. Pictures are compared after a reset alone: there, the caret blinks."""
    assert seen.axtree_txt == flatten_axtree_to_str(expected["axtree_object"])
    assert seen.pruned_html == prune_html(flatten_dom_to_str(expected["dom_object"]))
    assert (seen.goal, seen.url) == (expected["goal"], expected["url"])
    assert _kind(seen.error) == _kind(expected["last_action_error"])
    told = seen.metadata["browsergym_obs"]
    for name in ("open_pages_urls", "open_pages_titles", "goal_object"):
        assert told[name] == list(expected[name])
    assert told["focused_element_bid"] == expected["focused_element_bid"]
    messages = [(message["role"], message["message"]) for message in expected["chat_messages"]]
    assert [(message["role"], message["message"]) for message in told["chat_messages"]] == messages


def _kind(error: str) -> str:
    """What went wrong, without how long it was waited for."""
    return re.sub(r"Timeout \d+ms|(?s:\nCall log:.*)", "", error)
