"""BrowserGym's environment over one browser that stays: an episode is a fresh browser context.

BrowserGym's own reset starts two browsers, one of them to show the chat. What is an episode's - rewards,
ends, the active page, the order of things in a step - is inherited; replaced are how it begins, how an action
is carried out (`actions`), how long to wait after it (`page_scripts`), and what it costs to observe a page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

from browsergym.core.constants import EXTRACT_OBS_MAX_TRIES
from browsergym.core.env import BrowserEnv
from browsergym.core.observation import (
    MarkingError,
    _post_extract,
    _pre_extract,
    extract_dom_extra_properties,
    extract_dom_snapshot,
    extract_focused_element_bid,
    extract_merged_axtree,
)
from playwright.sync_api import Error

from browsergym_env.server.actions import ActionSet, describe_failure
from browsergym_env.server.chat_log import ChatLog
from browsergym_env.server.chromium import Chromium
from browsergym_env.server.page_scripts import (
    ACTIVATION_BINDING,
    PAGE_WATCH,
    REPORT_ACTIVATION,
    empty_clipboard,
    wait_settled,
)
from browsergym_env.server.screenshot import take_screenshot
from browsergym_env.server.settings import BrowserGymSettings

logger = logging.getLogger(__name__)

OBSERVATION_DELAY = 0.5  # seconds between an action and its observation, as BrowserGym has it
_OPENING_LIMIT = 2.0  # seconds for a page to draw itself
_RETRY_DELAY = 0.05
# Frames come and go while they are looked at.
_PASSING = (
    "Frame was detached",
    "Frame has been detached",
    "Frame with the given frameId is not found",
    "Execution context was destroyed",
    "Cannot mark a child frame without a bid",
    "Cannot read properties of undefined",
)


class WarmBrowserEnv(BrowserEnv):  # type: ignore[misc]  # BrowserGym is not typed
    """One session's environment; each reset may be of another task.

    Args:
        browser: Where pages are opened.
        actions: What an action may say.
        settings: Sizes, timeouts, and whether to take screenshots.
    """

    task: Any
    context: Any
    page: Any
    page_history: dict[Any, None]
    chat: ChatLog | None

    def __init__(self, browser: Chromium, actions: ActionSet, settings: BrowserGymSettings) -> None:
        # BrowserEnv's own look at a page, which cannot leave the screenshot out, is replaced by `_look`; its
        # delay is waited for here, or found needless.
        super().__init__(None, use_raw_page_output=True, pre_observation_delay=0.0)
        self._chromium = browser
        self._actions = actions
        self._settings = settings
        # MiniWoB's pages have all they need, so it is known when they are done. Other sites wait for others.
        self._can_settle = settings.benchmark == "miniwob"

    def reset_to(
        self, task_entrypoint: Callable[..., Any], seed: int | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode of a task.

        Args:
            task_entrypoint: Makes the task of a seed.
            seed: For `numpy.random.RandomState`; ``None`` for any.

        Returns:
            The observation, as BrowserGym's, and its info.
        """
        self.end_episode()
        self.task = task_entrypoint(seed=seed)
        try:
            return self._begin()
        except BaseException:
            self.end_episode()
            raise

    def _begin(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._open_context()
        self.chat = ChatLog()
        self.page = self.context.new_page()
        empty_clipboard(self.page)
        goal, task_info = self.task.setup(page=self.page)
        self.goal_object = _as_messages(goal)
        self.chat.open(self.goal_object)
        self._wait_dom_loaded()
        if self._can_settle:  # some draw themselves in an animation
            wait_settled(self.context, OBSERVATION_DELAY, _OPENING_LIMIT)
        self._active_page_check()
        self.start_time = time.time()
        self.last_action = self.last_action_error = ""
        self.infeasible_message_received = False
        return self._get_obs(), {"task_info": task_info}

    def _open_context(self) -> None:
        width, height = self._settings.page_size
        self.context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            locale=self.task.locale,
            timezone_id=self.task.timezone_id,
            accept_downloads=False,
        )
        self.page_history = {}
        self.context.set_default_timeout(self._settings.timeout)
        self.context.expose_binding(
            ACTIVATION_BINDING, lambda source: self._activate_page_from_js(source["page"])
        )
        self.context.add_init_script(REPORT_ACTIVATION)
        if self._can_settle:
            self.context.add_init_script(PAGE_WATCH)

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Carry out an action; one that fails is reported by the observation's ``last_action_error``."""
        self.last_action, self.last_action_error = action, ""
        info, say, give_up = self.pre_step()
        try:
            self._actions.perform(action, self.page, say, give_up)
        except Exception as error:  # noqa: BLE001 - whatever it is, the agent is told
            self.last_action_error = describe_failure(error)
        if self._can_settle:
            wait_settled(self.context, OBSERVATION_DELAY, OBSERVATION_DELAY)
        else:
            time.sleep(OBSERVATION_DELAY)
        return cast("tuple[dict[str, Any], float, bool, bool, dict[str, Any]]", self.post_step(info))

    def end_episode(self) -> None:
        """Close the episode's pages, and forget all that was stored in them. Idempotent."""
        task, context = self.task, self.context
        self.task = self.context = self.page = self.chat = None
        self.page_history = {}
        try:
            if task is not None:
                task.teardown()
        finally:
            if context is not None and context.browser.is_connected():
                context.close()

    def close(self) -> None:
        """End the episode; the browser is its owner's to close."""
        self.end_episode()

    def _get_obs(self) -> dict[str, Any]:
        observation = super()._get_obs()
        del observation["page"]
        for tries_left in reversed(range(EXTRACT_OBS_MAX_TRIES)):
            try:
                return {**observation, **self._look(lenient=tries_left == 0)}
            except (Error, MarkingError) as error:
                if not tries_left or not any(text in str(error) for text in _PASSING):
                    raise
                logger.info("the page changed while it was looked at: %s", error)
                _post_extract(self.page)
                time.sleep(_RETRY_DELAY)
        raise AssertionError("the last try returns or raises")

    def _look(self, *, lenient: bool) -> dict[str, Any]:
        """Look at the active page: its DOM, its accessibility tree, and its picture if that is asked for."""
        _pre_extract(self.page, tags_to_mark=self.tags_to_mark, lenient=lenient)
        dom = extract_dom_snapshot(self.page)
        tree = extract_merged_axtree(self.page)
        focused = extract_focused_element_bid(self.page)
        scale = getattr(self.page, "_bgym_scale_factor", 1.0)
        properties = extract_dom_extra_properties(dom, scale_factor=scale)
        _post_extract(self.page)
        look = {
            "dom_object": dom,
            "axtree_object": tree,
            "extra_element_properties": properties,
            "focused_element_bid": focused,
        }
        if self._settings.include_screenshot:
            look["screenshot"] = take_screenshot(self.page, self._settings.screenshot_shape)
        return look


def _as_messages(goal: Any) -> list[dict[str, Any]]:
    """A task's goal as a list of messages, which is one of the forms that tasks give it in."""
    if goal is None:
        return []
    if isinstance(goal, str):
        return [{"type": "text", "text": goal}]
    if isinstance(goal, list):
        return goal
    raise TypeError(f"a task's goal is a text or a list of messages, not a {type(goal).__name__}")
