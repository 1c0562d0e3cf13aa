"""Actions are hostile input: what is not a call of a known function with plain arguments does nothing."""

from __future__ import annotations

import pytest

from browsergym_env import BrowserGymAction
from browsergym_env.models import MAX_ACTION_LENGTH
from browsergym_env.server.actions import MAX_CALLS, MAX_PAGES, ActionSet
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.reach import Reach

pytestmark = pytest.mark.timeout(300)

REFUSED = {
    "nothing": "",
    "prose": "I would like to click on the button",
    "statement": "import os",
    "import": "__import__('os').system('touch /tmp/PWNED')",
    "exec": "exec('raise SystemExit')",
    "eval": "eval('1')",
    "open": "open('/etc/passwd')",
    "page": "page.evaluate('alert(1)')",
    "global": "page('x')",
    "internal": "get_elem_by_bid('12')",
    "internal_js": "highlight_by_box({'x': '${alert(1)}'})",
    "demo": "add_demo_mode_effects('12')",
    "chat": "send_message_to_user('x')",
    "dunder": "__class__('x')",
    "upload": "upload_file('12', '/etc/passwd')",
    "upload_at": "mouse_upload_file(1, 2, '/etc/passwd')",
    "one_bad_of_two": "noop(0) unknown(1)",
    "file": "goto('file:///etc/passwd')",
    "file_named": "goto(url='file:///etc/passwd')",
    "file_case": "goto('FILE:///etc/passwd')",
    "file_space": "goto(' file:///etc/passwd')",
    "view_source": "goto('view-source:file:///etc/passwd')",
    "javascript": "goto('javascript:alert(1)')",
    "data": "goto('data:text/html,<script>alert(1)</script>')",
    "blob": "goto('blob:http://miniwob.localhost/1')",
    "chrome": "goto('chrome://version')",
    "devtools": "goto('devtools://devtools/bundled/inspector.html')",
    "other_host": "goto('http://example.org/')",
    "other_port": "goto('http://miniwob.localhost:8000/')",
    "loopback": "goto('http://127.0.0.1/')",
    "user_trick": "goto('http://miniwob.localhost@127.0.0.1/')",
    "no_url": "goto('//example.org')",
    "infinite": "mouse_click(1e999, 0)",
    "huge": f"mouse_click({10**400}, 0)",
    "long_wait": "noop(1e8)",
    "negative_wait": "noop(wait_ms=-1)",
    "half_character": r"keyboard_type('\ud800')",
    "deep": f"select_option('1', {'[' * 8}{']' * 8})",
    "very_deep": f"fill({'[' * 8000}",
    "many": "noop(0) " * (MAX_CALLS + 1),
    "unclosed": "fill('12', '" + "x" * 4_000,
}


@pytest.fixture(scope="module")
def actions() -> ActionSet:
    return ActionSet(Reach(["http://miniwob.localhost/"]))


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_anything_happens(actions: ActionSet, text: str) -> None:
    assert len(text) <= MAX_ACTION_LENGTH
    heard: list[str] = []
    with pytest.raises((ValueError, NameError, RecursionError)):  # and nothing about a page that is None
        actions.perform(text, None, heard.append, heard.append)  # type: ignore[arg-type]
    assert not heard


def test_code_in_arguments_is_text(environment: BrowserGymEnvironment) -> None:
    environment.reset(seed=1, task_name="enter-text")
    hostile = (
        'send_msg_to_user(\'"""); import os; os._exit(1) #\')',
        "click('\"]; alert(1); //')",
        r"click('12\\'); __import__(\'os\')._exit(1); (\'')",
        "keyboard_press('__proto__')",
        "keyboard_press(['Enter'])",
        "click('1', button='left; exit')",
        "click(12)",
        "click()",
        "tab_focus(7)",
        "mouse_click('1', None)",
        "select_option('13', {'a': 1})",
        "scroll(1)",
        "goto('http://miniwob.localhost/../../../etc/passwd')",
    )
    for text in hostile[:-1]:
        seen = environment.step(BrowserGymAction(action_str=text))
        assert not seen.done
        assert seen.last_action_error == (not text.startswith("send_msg")), (text, seen.error)
    outside = environment.step(BrowserGymAction(action_str=hostile[-1]))
    assert "root:" not in outside.text
    assert outside.done


def test_pages_are_bounded(environment: BrowserGymEnvironment) -> None:
    environment.reset(seed=1, task_name="click-test")
    seen = environment.step(BrowserGymAction(action_str="new_tab() " * (MAX_PAGES + 1)))
    assert f"{MAX_PAGES} pages are open" in seen.error
    assert len(seen.metadata["browsergym_obs"]["open_pages_urls"]) == MAX_PAGES
