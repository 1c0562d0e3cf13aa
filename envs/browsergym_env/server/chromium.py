"""One Chromium, for one session: found, confined, started, and gone with its owner whatever happens."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from browsergym.core import _set_global_playwright
from browsergym.core.constants import BROWSERGYM_ID_ATTRIBUTE
from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

from browsergym_env.server.browser_folder import BrowserFolder
from browsergym_env.server.confinement import confine
from browsergym_env.server.reach import Reach
from browsergym_env.server.settings import BrowserGymSettings
from openenv_gym.errors import UsageError
from openenv_gym.sandbox.identity import Identity

logger = logging.getLogger(__name__)

_HEADLESS_NAMES = ("chromium-headless-shell", "chrome-headless-shell")
_NAMES = ("chromium", "chromium-browser", "google-chrome")

# On top of Playwright's: no service of the browser's own that would use the network; what BrowserGym sets.
_FLAGS = (
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--no-proxy-server",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Overlay scrollbars would not be seen in screenshots.
    "--disable-features=OverlayScrollbars,ExtendedOverlayScrollbars,HttpsUpgrades,Translate,MediaRouter,"
    "OptimizationHints,InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater",
)


class Chromium:
    """A browser that is kept from episode to episode; each gets a context of its own, fresh and empty.

    All of it must happen on the thread that makes it, where no asyncio loop may be running (Playwright).

    Args:
        settings: Which browser.
        reach: What it may load from.

    Attributes:
        executable: The browser's program.
        confinement: How it is kept in.

    Raises:
        UsageError: There is no browser.
        SandboxError: It would run as root.
        playwright.sync_api.Error: It does not start.
    """

    def __init__(self, settings: BrowserGymSettings, reach: Reach) -> None:
        self._headless = settings.headless
        self._reach = reach
        self._identity = Identity.unprivileged()
        self._browser: Browser | None = None
        self._playwright: Playwright | None = None
        self._folder = BrowserFolder(self._identity)
        try:
            self._playwright = self._start_playwright()
            self.executable = _find(settings, self._playwright)
            home = self._folder.home
            self.confinement = confine(self._identity, self.executable, home, headless=self._headless)
            self._folder.write_launcher(self.executable, self.confinement)
            self._launch()
        except BaseException:
            self.close()
            raise

    def new_context(self, **options: Any) -> BrowserContext:
        """Open an empty context; starts the browser again if it has crashed."""
        if self._browser is None or not self._browser.is_connected():
            logger.warning("the browser is gone and is started again")
            self._launch()
        assert self._browser is not None
        return self._browser.new_context(**options)

    @property
    def version(self) -> str:
        """The browser's version."""
        return self._browser.version if self._browser is not None else ""

    def close(self) -> None:
        """End the browser and all that it started, and remove what it wrote. Idempotent."""
        if self._browser is not None:
            with contextlib.suppress(Error):  # it crashed
                self._browser.close()
            self._browser = None
        if self._playwright is not None:
            self._playwright.stop()
            _set_global_playwright(None)
            self._playwright = None
        self._folder.close()
        self._identity.release()

    def _start_playwright(self) -> Playwright:
        with _temporary_folder(self._folder.path):
            playwright = sync_playwright().start()
        playwright.selectors.set_test_id_attribute(BROWSERGYM_ID_ATTRIBUTE)
        _set_global_playwright(playwright)  # for tasks that ask BrowserGym for it
        return playwright

    def _launch(self) -> None:
        assert self._playwright is not None
        rules = self._reach.resolver_rules()
        environ = {"HOME": self.confinement.home, "TMPDIR": self.confinement.home, "LANG": "C.UTF-8"}
        shown = {} if self._headless else {key: os.environ[key] for key in ("DISPLAY",) if key in os.environ}
        self._browser = self._playwright.chromium.launch(
            executable_path=self._folder.launcher,
            headless=self._headless,
            chromium_sandbox=self.confinement.has_sandbox,
            args=[*_FLAGS, *([] if rules is None else [f"--host-resolver-rules={rules}"])],
            ignore_default_args=["--hide-scrollbars"],
            env={"PATH": os.environ.get("PATH", os.defpath), **environ, **shown},
        )


def _find(settings: BrowserGymSettings, playwright: Playwright) -> Path:
    """The browser to use: the one named, else a system's, else Playwright's own.

    A headless shell starts faster than a whole Chromium, and takes half of its memory.
    """
    names = (settings.chromium,) if settings.chromium else (*_HEADLESS_NAMES * settings.headless, *_NAMES)
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return _without_wrapper(Path(found).resolve())
    own = Path(playwright.chromium.executable_path)
    if own.is_file() and not settings.chromium:
        return own
    raise UsageError(
        f"there is no browser ({', '.join(names)}): install one (Debian: apt-get install "
        "chromium-headless-shell fonts-liberation), or set BROWSERGYM_CHROMIUM to its path"
    )


def _without_wrapper(path: Path) -> Path:
    """Debian's ``/usr/bin/chromium`` is a script that adds extensions and further settings of its own."""
    binary = Path("/usr/lib/chromium") / path.name
    return binary if path.parent == Path("/usr/bin") and binary.is_file() else path


@contextlib.contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    """Have what is started meanwhile keep its temporary files in a folder."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
