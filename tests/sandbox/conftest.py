"""Sandboxes for tests, by every mechanism. bubblewrap has to be installed: nothing here is skipped."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openenv_gym.sandbox import Limits, Mount, Sandbox, SandboxSpec

# The scene is also run as a script by another user, so it and its attacks are modules of their own.
sys.path.insert(0, str(Path(__file__).parent))

import sandbox_scene

Open = Callable[..., Sandbox]


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that sandboxed users can reach."""
    with sandbox_scene.folder() as path:
        yield path


@pytest.fixture(params=["bubblewrap", "landlock"])
def mechanism(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def open_with(workspace: Path, mechanism: str, limits: Limits | None = None) -> Sandbox:
    mounts = (Mount(workspace, "/workspace", writable=True),)
    spec = SandboxSpec(mounts=mounts, workdir="/workspace", limits=limits or Limits())
    return sandbox_scene.open_by(mechanism, spec)


@pytest.fixture
def opened(mechanism: str, workspace: Path) -> Iterator[Open]:
    """Open sandboxes with ``/workspace``, closed after the test: ``opened(limits=Limits(...))``."""
    with contextlib.ExitStack() as stack:
        yield lambda limits=None: stack.enter_context(open_with(workspace, mechanism, limits))


@pytest.fixture(scope="session")
def long_lived() -> Iterator[dict[str, Sandbox]]:
    """One sandbox a mechanism that tests share, because a start takes most of a short test's time."""
    with contextlib.ExitStack() as stack:
        sandboxes = {}
        for mechanism in ("bubblewrap", "landlock"):
            workspace = stack.enter_context(sandbox_scene.folder()) / "workspace"
            workspace.mkdir()
            sandboxes[mechanism] = stack.enter_context(open_with(workspace, mechanism))
        yield sandboxes


@pytest.fixture
def sandbox(mechanism: str, long_lived: dict[str, Sandbox]) -> Iterator[Sandbox]:
    """A shared sandbox with an empty ``/workspace``; tests that end it use `opened`."""
    shared = long_lived[mechanism]
    yield shared
    for path in shared.path_outside("/workspace").iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture
def workspace(request: pytest.FixtureRequest) -> Path:
    """The host's folder behind the ``/workspace`` of the test's sandbox."""
    if "sandbox" in request.fixturenames:
        shared: Sandbox = request.getfixturevalue("sandbox")
        return shared.path_outside("/workspace")
    path: Path = request.getfixturevalue("base") / "workspace"
    path.mkdir()
    return path
