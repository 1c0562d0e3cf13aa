"""One Chromium, for one session: found, confined, started, and gone with its owner whatever happens."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from browsergym.core import _set_global_playwright
from browsergym.core.constants import BROWSERGYM_ID_ATTRIBUTE
from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

from browsergym_env.server.confinement import Confinement, confine
from browsergym_env.server.reach import Reach
from browsergym_env.server.settings import BrowserGymSettings
from openenv_gym.errors import UsageError
from openenv_gym.providers import guard
from openenv_gym.sandbox.identity import Identity

logger = logging.getLogger(__name__)

_HEADLESS_NAMES = ("chromium-headless-shell", "chrome-headless-shell")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_GUARD_GRACE = "0.5"  # seconds

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
        # Root's, so that the browser cannot change how it is started; its own folder is inside.
        self._folder = Path(tempfile.mkdtemp(prefix="openenv-gym-browser-"))
        self._folder.chmod(0o711)
        self._home = self._folder / "home"
        self._home.mkdir(mode=0o700)
        self._lifeline: int | None = None
        self._playwright: Playwright | None = None
        try:
            self._identity.take_over(self._home)
            self._lifeline = self._make_lifeline()
            self._playwright = self._start_playwright()
            self.executable = _find(settings, self._playwright)
            self.confinement = confine(self._identity, self.executable, self._home, headless=self._headless)
            self._write_launcher(self.executable, self.confinement)
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
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        shutil.rmtree(self._folder, ignore_errors=True)  # the launcher removes it too
        self._identity.release()

    def _make_lifeline(self) -> int:
        """Open a named pipe whose other end the guard reads: it ends with this process, however that ends."""
        path = self._folder / "lifeline"
        os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def _start_playwright(self) -> Playwright:
        with _temporary_folder(self._folder):
            playwright = sync_playwright().start()
        playwright.selectors.set_test_id_attribute(BROWSERGYM_ID_ATTRIBUTE)
        _set_global_playwright(playwright)  # for tasks that ask BrowserGym for it
        return playwright

    def _write_launcher(self, executable: Path, confinement: Confinement) -> None:
        """Write the program that Playwright takes for the browser.

        Playwright starts browsers in a session of their own, out of reach of whoever kills this process's
        group. So the browser runs under the guard, which ends it when the lifeline does.
        """
        launcher = self._folder / "launcher"
        quoted = shlex.quote
        folder, lifeline = quoted(str(self._folder)), quoted(str(self._folder / "lifeline"))
        guarded = [sys.executable, "-I", "-S", guard.__file__, "9", _GUARD_GRACE, "3,4"]
        command = [*guarded, *confinement.command, str(executable)]
        profile = f"--user-data-dir={confinement.home}/profile"
        lines = [
            "#!/bin/sh",
            "trap '' PIPE",  # the shell tells of killed programs, to a Playwright that may be gone
            f"exec 9<{lifeline}",
            # The last of several equal switches counts: Playwright has one of its own.
            f'{" ".join(map(quoted, command))} "$@" {quoted(profile)}',
            "status=$?",
            # Read without waiting, it is at its end where the owner is gone, and has left the folder.
            f"dd if={lifeline} iflag=nonblock count=1 of=/dev/null 2>/dev/null && rm -rf {folder}",
            "exit $status",
        ]
        launcher.write_text("\n".join(lines) + "\n", encoding="utf-8")
        launcher.chmod(0o700)

    def _launch(self) -> None:
        assert self._playwright is not None
        rules = self._reach.resolver_rules()
        environ = {"HOME": self.confinement.home, "TMPDIR": self.confinement.home, "LANG": "C.UTF-8"}
        shown = {} if self._headless else {key: os.environ[key] for key in ("DISPLAY",) if key in os.environ}
        self._browser = self._playwright.chromium.launch(
            executable_path=self._folder / "launcher",
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
