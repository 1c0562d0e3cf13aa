"""Browsers end with their owners, however those end, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from browsergym_env import BrowserGymAction
from browsergym_env.server.browser_folder import BrowserFolder
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from openenv_gym.sandbox.identity import Identity
from openenv_gym.testing import process_tree

pytestmark = pytest.mark.timeout(300)

_OWNER = """
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
environment = BrowserGymEnvironment()
environment.reset(seed=1)
print("ready", flush=True)
{ending}
"""


def _own(folder: Path, ending: str) -> subprocess.Popen[str]:
    """A process that has a browser, in a group of its own, as workers are."""
    return subprocess.Popen(
        [sys.executable, "-c", _OWNER.format(ending=ending)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )


def _is_gone(pids: set[int], folder: Path, seconds: float = 30.0) -> bool:
    give_up_at = time.monotonic() + seconds
    while process_tree.living(pids) or list(folder.iterdir()):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def test_a_killed_owner_takes_its_browser_along(tmp_path: Path) -> None:
    with _own(tmp_path, "import time; time.sleep(300)") as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        below = process_tree.descendants(owner.pid)
        assert len(below) > 5
        assert list(tmp_path.iterdir())
        os.killpg(owner.pid, signal.SIGKILL)  # out of its reach: the browser has a group of its own
    assert _is_gone(below, tmp_path)


def test_an_owner_that_just_ends_takes_its_browser_along(tmp_path: Path) -> None:
    with _own(tmp_path, "import os; os._exit(3)") as owner:
        assert owner.wait(60) == 3
    assert _is_gone(set(), tmp_path)


def test_what_killed_owners_left_is_removed_by_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    identity = Identity.of_this_process()
    held, abandoned, young = (BrowserFolder(identity) for _ in range(3))
    for folder in (abandoned, young):
        folder_of_the_killed(folder)
    for folder in (held, abandoned):
        os.utime(folder.path, (0, 0))
    another = BrowserFolder(identity)
    assert set(tmp_path.iterdir()) == {held.path, young.path, another.path}
    for folder in (held, young, another):
        folder.close()
    assert not list(tmp_path.iterdir())


def folder_of_the_killed(folder: BrowserFolder) -> None:
    """Close its lifeline as the kernel does, which is all that a killed process does."""
    assert folder._lifeline is not None
    os.close(folder._lifeline)
    folder._lifeline = None


def test_a_crashed_browser_fails_the_step_and_the_next_reset_starts_another(
    environment: BrowserGymEnvironment,
) -> None:
    environment.reset(seed=1, task_name="click-test")
    below = process_tree.descendants(os.getpid())
    (browser,) = (pid for pid in below if _is_browser(pid))
    os.kill(browser, signal.SIGKILL)
    with pytest.raises(Exception, match=r"closed|crashed"):
        environment.step(BrowserGymAction(action_str="noop(0)"))
    assert environment.reset(seed=1, task_name="click-test").goal == "Click the button."
    assert browser not in process_tree.living(below)
    assert len(process_tree.descendants(os.getpid())) <= len(below), "the first browser's are gone"


def _is_browser(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"chrom" in words[0] and b"--remote-debugging-pipe" in words
