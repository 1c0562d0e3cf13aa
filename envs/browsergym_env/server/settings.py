"""What the person who starts the server chooses, read from the environment's variables.

The names are OpenEnv's. ``BROWSERGYM_CHROMIUM`` and ``BROWSERGYM_ALLOWED_SITES`` are additions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from openenv_gym.errors import UsageError

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

# Sizes that the benchmarks' tasks ask for, in CSS pixels, and how much larger their screenshots are.
_VIEWPORTS = {"miniwob": (332, 214)}
_USUAL_VIEWPORT = (1280, 720)
_SCREENSHOT_SCALES = {"miniwob": 1.5}


@dataclass(frozen=True)
class BrowserGymSettings:
    """Everything a server of the BrowserGym environment can be told.

    Attributes:
        benchmark: BrowserGym's name of the benchmark.
        task_name: The task of a reset that names none; "" for the benchmark's first, MiniWoB's click-test.
        headless: Whether the browser shows no window.
        viewport: Width and height of a page in CSS pixels; ``None`` for what the benchmark's tasks ask for.
        timeout: Longest that one browser operation may take, in milliseconds.
        include_screenshot: Whether observations hold screenshots.
        miniwob_url: Where MiniWoB's pages are served, or ``file://`` and their folder; "" for those of the
            installed ``miniwob`` package.
        chromium: The browser's executable; "" for the first one found.
        allowed_sites: Web sites that pages may load from besides the benchmark's own: URLs or hosts; ``*``
            for all.
    """

    benchmark: str = "miniwob"
    task_name: str = ""
    headless: bool = True
    viewport: tuple[int, int] | None = None
    timeout: float = 10_000.0
    include_screenshot: bool = False
    miniwob_url: str = ""
    chromium: str = ""
    allowed_sites: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> BrowserGymSettings:
        """Read the settings from environment variables (this process's own unless given).

        Raises:
            UsageError: A variable holds something else than it should; the message names it.
        """
        source = os.environ if environ is None else environ
        return cls(
            benchmark=source.get("BROWSERGYM_BENCHMARK", "").strip() or "miniwob",
            task_name=source.get("BROWSERGYM_TASK_NAME", "").strip(),
            headless=_truth(source, "BROWSERGYM_HEADLESS", default=True),
            viewport=_viewport(source),
            timeout=_number(source, "BROWSERGYM_TIMEOUT") or 10_000.0,
            include_screenshot=_truth(source, "BROWSERGYM_INCLUDE_SCREENSHOT", default=False),
            miniwob_url=source.get("MINIWOB_URL", "").strip(),
            chromium=source.get("BROWSERGYM_CHROMIUM", "").strip(),
            allowed_sites=tuple(source.get("BROWSERGYM_ALLOWED_SITES", "").replace(",", " ").split()),
        )

    @property
    def page_size(self) -> tuple[int, int]:
        """Width and height of a page, in CSS pixels."""
        return self.viewport or _VIEWPORTS.get(self.benchmark, _USUAL_VIEWPORT)

    @property
    def screenshot_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a screenshot."""
        width, height = self.page_size
        scale = _SCREENSHOT_SCALES.get(self.benchmark, 1.0)
        return int(height * scale), int(width * scale), 3


def _viewport(source: Mapping[str, str]) -> tuple[int, int] | None:
    width = _number(source, "BROWSERGYM_VIEWPORT_WIDTH")
    height = _number(source, "BROWSERGYM_VIEWPORT_HEIGHT")
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise UsageError("BROWSERGYM_VIEWPORT_WIDTH and BROWSERGYM_VIEWPORT_HEIGHT go together: set both")
    return int(width), int(height)


def _truth(source: Mapping[str, str], variable: str, *, default: bool) -> bool:
    text = source.get(variable, "").strip().lower()
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise UsageError(f"{variable}={text!r}: expected true or false")
    return text in _TRUE


def _number(source: Mapping[str, str], variable: str) -> float | None:
    text = source.get(variable, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number < 1e6:
        raise UsageError(f"{variable}={text!r}: expected a number from 1 to 1000000")
    return number
