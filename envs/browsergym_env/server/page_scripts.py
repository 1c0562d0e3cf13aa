"""Scripts that run in every page, and the waiting that one of them makes possible."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import BrowserContext, Error, Page

PAGE_WATCH = Path(__file__).with_name("page_watch.js").read_text(encoding="utf-8")

# BrowserGym's notion of the active page: the one that something last happened in.
ACTIVATION_BINDING = "browsergym_page_activated"
_ACTIVATING = (
    *("focus", "focusin", "load", "pageshow", "mousemove", "mouseup", "mousedown", "wheel"),
    *("keyup", "keydown", "input", "touchstart", "touchend"),
)
REPORT_ACTIVATION = f"""(() => {{
  const report = () => window.{ACTIVATION_BINDING}();
  report();
  for (const type of {list(_ACTIVATING)!r}) window.addEventListener(type, report, {{ capture: true }});
  const reportVisible = () => document.visibilityState === "visible" && report();
  document.addEventListener("visibilitychange", reportVisible, {{ capture: true }});
}})();"""

_AWAIT_SETTLED = 'times => window[Symbol.for("openenv-gym.settled")]?.(times)'

# Chromium has one clipboard for all contexts. An empty text replaces what was copied.
_EMPTY_CLIPBOARD = """() => {
  const empty = (event) => { event.clipboardData.setData("text/plain", ""); event.preventDefault(); };
  document.addEventListener("copy", empty, { once: true, capture: true });
  return document.execCommand("copy");
}"""


def wait_settled(context: BrowserContext, horizon: float, limit: float) -> None:
    """Wait until no page moves, or has anything scheduled, or until some time has passed.

    Args:
        context: Whose pages carry `PAGE_WATCH`.
        horizon: What they have scheduled counts if it is within so many seconds from now.
        limit: Longest to wait, in seconds.
    """
    deadline = time.monotonic() + limit
    for page in context.pages:
        while not _is_settled(page, horizon, deadline):
            page.wait_for_timeout(10)


def _is_settled(page: Page, horizon: float, deadline: float) -> bool:
    """Wait for one page; false when it went elsewhere meanwhile."""
    try:
        for frame in page.frames:
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            frame.evaluate(_AWAIT_SETTLED, [1000 * horizon, 1000 * left])
    except Error:
        return page.is_closed() or time.monotonic() >= deadline
    return True


def empty_clipboard(page: Page) -> None:
    """Forget what was copied in this browser.

    Raises:
        RuntimeError: The browser did not do it.
    """
    if not page.evaluate(_EMPTY_CLIPBOARD):
        raise RuntimeError("the browser's clipboard could not be emptied")
