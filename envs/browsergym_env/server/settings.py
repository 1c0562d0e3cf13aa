"""What the person who starts the server chooses, read from the environment's variables.

The names are OpenEnv's. ``BROWSERGYM_CHROMIUM`` and ``BROWSERGYM_ALLOWED_SITES`` are additions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openenv_gym.errors import UsageError
from openenv_gym.server.variables import Variables

# Sizes that the benchmarks' tasks ask for, in CSS pixels, and how much larger their screenshots are.
_VIEWPORTS = {"miniwob": (332, 214)}
_USUAL_VIEWPORT = (1280, 720)
_SCREENSHOT_SCALES = {"miniwob": 1.5}
_MOST = 1_000_000  # milliseconds, pixels


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
        variables = Variables(environ)
        return cls(
            benchmark=variables.word("BROWSERGYM_BENCHMARK", cls.benchmark),
            task_name=variables.word("BROWSERGYM_TASK_NAME"),
            headless=variables.flag("BROWSERGYM_HEADLESS", cls.headless),
            viewport=_viewport(variables),
            timeout=variables.number("BROWSERGYM_TIMEOUT", cls.timeout, least=1, most=_MOST),
            include_screenshot=variables.flag("BROWSERGYM_INCLUDE_SCREENSHOT", cls.include_screenshot),
            miniwob_url=variables.word("MINIWOB_URL"),
            chromium=variables.word("BROWSERGYM_CHROMIUM"),
            allowed_sites=tuple(variables.word("BROWSERGYM_ALLOWED_SITES").replace(",", " ").split()),
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


def _viewport(variables: Variables) -> tuple[int, int] | None:
    width, height = (
        int(variables.number(f"BROWSERGYM_VIEWPORT_{side}", 0, least=1, most=_MOST))
        for side in ("WIDTH", "HEIGHT")
    )
    if bool(width) != bool(height):
        raise UsageError("BROWSERGYM_VIEWPORT_WIDTH and BROWSERGYM_VIEWPORT_HEIGHT go together: set both")
    return (width, height) if width else None
