"""MiniWoB's tasks: what they ask, when they end, what they give."""

from __future__ import annotations

import re

import numpy as np
import pytest

from browsergym_env import BrowserGymAction, BrowserGymObservation
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from openenv_gym.errors import InvalidActionError

pytestmark = pytest.mark.timeout(300)


def do(environment: BrowserGymEnvironment, text: str) -> BrowserGymObservation:
    return environment.step(BrowserGymAction(action_str=text))


def bid_of(observation: BrowserGymObservation, element: str) -> str:
    found = re.search(rf"\[(\w+)\] {element}", observation.axtree_txt)
    assert found is not None, observation.axtree_txt
    return found[1]


def click(
    environment: BrowserGymEnvironment, seen: BrowserGymObservation, element: str
) -> BrowserGymObservation:
    return do(environment, f"click('{bid_of(seen, element)}')")


def test_a_task_done_right_gives_one_and_ends(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=3, task_name="click-button", episode_id="mine")
    assert seen.goal == 'Click on the "submit" button.'
    assert (seen.reward, seen.done, seen.error) == (0.0, False, "")
    assert seen.text == seen.axtree_txt
    assert 'button bid="' in seen.pruned_html
    assert seen.url == "http://miniwob.localhost/miniwob/click-button.html"
    assert seen.screenshot is not None
    assert (seen.screenshot.dtype, seen.screenshot.shape) == (np.uint8, (321, 498, 3))
    ended = click(environment, seen, "button 'submit'")
    assert (ended.reward, ended.done, ended.error) == (1.0, True, "")
    state = environment.state
    assert (state.episode_id, state.step_count, state.cum_reward) == ("mine", 1, 1.0)
    assert state.clock["REWARD_GLOBAL"] > 0.5
    assert (state.benchmark, state.task_name, state.goal) == ("miniwob", "click-button", seen.goal)


def test_a_task_done_wrong_gives_nothing_and_ends(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=3, task_name="click-button")
    ended = click(environment, seen, "button 'cancel'")
    assert (ended.reward, ended.done, ended.error) == (0.0, True, "")


def test_several_calls_are_one_action(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=5, task_name="enter-text")
    wanted = seen.goal.split('"')[1]
    box, button = bid_of(seen, "textbox"), bid_of(seen, "button 'Submit'")
    ended = do(
        environment, f"I type it and submit:\nfill('{box}', '{wanted}')\nclick(bid='{button}')  # done"
    )
    assert (ended.reward, ended.done, ended.error) == (1.0, True, "")


def test_an_action_that_fails_says_why_and_the_episode_goes_on(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=3, task_name="click-button")
    failed = do(environment, "click('99999')")
    assert (failed.last_action_error, failed.reward, failed.done) == (True, 0.0, False)
    assert failed.error == 'ValueError: Could not find element with bid "99999"'
    assert failed.axtree_txt == seen.axtree_txt
    assert not do(environment, "noop(0)").last_action_error


def test_why_an_action_failed_is_told_the_same_way_each_time(environment: BrowserGymEnvironment) -> None:
    def failure() -> str:
        environment.reset(seed=3, task_name="click-button")
        return do(environment, "click('1')").error  # the page's head

    first = failure()
    assert first.startswith("TimeoutError: Locator.click: Timeout")
    assert "element is not visible" in first
    assert failure() == first


def test_leaving_the_page_ends_the_episode_without_a_reward(environment: BrowserGymEnvironment) -> None:
    environment.reset(seed=3, task_name="click-button")
    ended = do(environment, "goto('about:blank')")
    assert (ended.reward, ended.done) == (0.0, True)


def test_the_chat_is_part_of_what_is_seen(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=3, task_name="click-button")
    chat = [(message["role"], message["message"]) for message in _told(seen)["chat_messages"]]
    assert chat[0][0] == "assistant"
    assert chat[1:] == [("user", seen.goal)]
    said = do(environment, "send_msg_to_user('which one?')")
    assert _told(said)["chat_messages"][-1]["message"] == "which one?"
    ended = do(environment, "report_infeasible('there is none')")
    assert (ended.reward, ended.done) == (0.0, True)
    assert _told(ended)["chat_messages"][-1]["role"] == "infeasible"


def test_pages_and_tabs(environment: BrowserGymEnvironment) -> None:
    seen = environment.reset(seed=3, task_name="click-button")
    opened = do(environment, "new_tab()")
    assert opened.url == "about:blank"
    assert _told(opened)["open_pages_urls"] == [seen.url, "about:blank"]
    assert opened.done  # it is not the task's page


def test_what_a_page_has_scheduled_is_waited_for(environment: BrowserGymEnvironment) -> None:
    # jQuery's autocomplete asks 300 ms after the last key; nothing else shows that something is to come.
    seen = environment.reset(seed=1, task_name="use-autocomplete")
    box = bid_of(seen, "textbox")
    typed = do(environment, f"click('{box}') keyboard_type('a')")
    assert "menu" in typed.axtree_txt or "listitem" in typed.axtree_txt


def test_equal_seeds_give_equal_episodes(environment: BrowserGymEnvironment) -> None:
    def episode(seed: int) -> list[BrowserGymObservation]:
        seen = environment.reset(seed=seed, task_name="login-user")
        acted = do(environment, f"fill('{bid_of(seen, 'textbox')}', 'somebody')")
        return [seen, acted]

    for one, other in zip(episode(7), episode(7), strict=True):
        assert one.model_dump(exclude={"screenshot"}) == other.model_dump(exclude={"screenshot"})
        assert np.array_equal(one.screenshot, other.screenshot)
    assert episode(8)[0].goal != episode(7)[0].goal
    assert environment.reset(seed=2**32 + 7, task_name="login-user").goal == episode(7)[0].goal


def test_an_unknown_task_is_refused(environment: BrowserGymEnvironment) -> None:
    with pytest.raises(InvalidActionError, match=r"no task 'click-tset'.*125 tasks"):
        environment.reset(task_name="click-tset")


def _told(observation: BrowserGymObservation) -> dict[str, object]:
    told = observation.metadata["browsergym_obs"]
    assert isinstance(told, dict)
    return told
