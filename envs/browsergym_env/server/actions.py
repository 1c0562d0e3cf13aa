"""BrowserGym's actions: text in, calls of its functions out.

BrowserGym turns an action into Python source, definitions of all its functions included, and executes
that. Here nothing is executed: the text is parsed by BrowserGym's own parser, which knows calls with literal
arguments and nothing else, and the functions of the same names are called.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from browsergym.core.action import functions
from browsergym.core.action.highlevel import ACTION_SUBSETS
from browsergym.core.action.parsers import NamedArgument, highlevel_action_parser
from browsergym.core.action.utils import get_elem_by_bid
from playwright.sync_api import Locator, Page

from browsergym_env.server.reach import Reach

_SUBSETS = ("chat", "infeas", "bid", "coord", "nav", "tab")
# They read the server's files.
_WITHHELD = frozenset({"upload_file", "mouse_upload_file"})
MAX_CALLS = 32
MAX_PAGES = 16
MAX_WAIT = 10_000  # milliseconds
ELEMENT_TIMEOUT = 2_000  # milliseconds
_MAX_NUMBER = 1e9
_MAX_DEPTH = 4
_ATTEMPT = re.compile(r"attempt #\d+|waiting \d+ms")

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


class ActionSet:
    """What agents can do. One an interpreter: BrowserGym's functions find the page in their module.

    Args:
        reach: Which addresses can be opened.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        known = [functions.noop, *(function for subset in _SUBSETS for function in ACTION_SUBSETS[subset])]
        self._functions: dict[str, Callable[..., None]] = {
            function.__name__: function for function in known if function.__name__ not in _WITHHELD
        }

    def perform(
        self, text: str, page: Page, say: Callable[[str], None], give_up: Callable[[str], None]
    ) -> None:
        """Do what an action says, call by call; all calls are checked before the first is made.

        Args:
            text: Calls; what is between them is skipped.
            page: The active page.
            say: Sends the user a message.
            give_up: Reports that the task cannot be done.

        Raises:
            NameError: There is no such function.
            ValueError: There is no call, or an argument is not allowed.
            Exception: What a function raises: the element is not there, covered, disabled, ...
        """
        calls = self._parse(text)
        functions.page = page
        functions.get_elem_by_bid = _find_element
        functions.send_message_to_user = say
        functions.report_infeasible_instructions = give_up
        functions.demo_mode = "off"
        functions.retry_with_force = False
        for name, arguments, named in calls:
            if name == "new_tab" and len(page.context.pages) >= MAX_PAGES:
                raise ValueError(f"{MAX_PAGES} pages are open: close one before opening another")
            self._functions[name](*arguments, **named)

    def _parse(self, text: str) -> list[Call]:
        found = [call for match in highlevel_action_parser.search_string(text).as_list() for call in match]
        if not found:
            raise ValueError("Received an empty action.")
        if len(found) > MAX_CALLS:
            raise ValueError(f"an action has at most {MAX_CALLS} calls, not {len(found)}")
        return [self._checked(name, arguments) for name, arguments in found]

    def _checked(self, name: str, arguments: list[Any]) -> Call:
        if name in _WITHHELD:
            raise NameError(f"Invalid action type '{name}': files of the server cannot be uploaded.")
        if name not in self._functions:
            raise NameError(f"Invalid action type '{name}'.")
        positional = tuple(argument for argument in arguments if not isinstance(argument, NamedArgument))
        named = {
            argument.name: argument.value for argument in arguments if isinstance(argument, NamedArgument)
        }
        for value in (*positional, *named.values()):
            _check_literal(value)
        first = next(iter((*positional, *named.values())), None)
        if name == "goto" and isinstance(first, str):
            self._reach.check(first)
        if name == "noop" and isinstance(first, int | float) and not 0 <= first <= MAX_WAIT:
            raise ValueError(f"noop waits from 0 to {MAX_WAIT} milliseconds, not {first}")
        return name, positional, named


def _check_literal(value: Any, depth: int = 0) -> None:
    """Keep out what the browser's driver does not survive, or nobody means."""
    match value:
        case None | bool():
            return
        case int() | float():
            if not abs(value) <= _MAX_NUMBER:  # NaN too
                raise ValueError(f"numbers are finite and not beyond {_MAX_NUMBER:g}")
        case str():
            value.encode()  # raises UnicodeEncodeError, a ValueError, for half of a character
        case list() | tuple() | dict() if depth < _MAX_DEPTH:
            parts = [*value, *value.values()] if isinstance(value, dict) else value
            for part in parts:
                _check_literal(part, depth + 1)
        case _:
            raise ValueError("an argument is nested too deeply")


def describe_failure(error: Exception) -> str:
    """Say why an action failed, as BrowserGym does; without Playwright's count of its attempts.

    How often it tried depends on how busy the machine is, and equal episodes have equal observations.
    """
    lines = f"{type(error).__name__}: {error}".splitlines()
    return "\n".join(dict.fromkeys(line for line in lines if not _ATTEMPT.search(line)))


class _PatientLocator:
    """An element that is waited for on a busy machine too: BrowserGym's functions give it half a second."""

    def __init__(self, locator: Locator) -> None:
        self._locator = locator

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._locator, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if "timeout" in options:
                options["timeout"] = ELEMENT_TIMEOUT
            return method(*arguments, **options)

        return call


def _find_element(page: Page, bid: str, scroll_into_view: bool = False) -> _PatientLocator:
    return _PatientLocator(get_elem_by_bid(page, bid, scroll_into_view))
