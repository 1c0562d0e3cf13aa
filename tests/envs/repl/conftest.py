"""An environment of the REPL for each mechanism that works here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openenv_gym import sandbox
from repl_env import REPLAction, REPLObservation, kernel
from repl_env.server.packages import packages_folder
from repl_env.server.repl_environment import REPLEnvironment
from repl_env.server.settings import REPLSettings

Run = Callable[..., REPLObservation]


def _for_everybody(folder: Path) -> bool:
    """Whether any user can read below a folder."""
    return all(place.stat().st_mode & 0o005 for place in (folder, *folder.parents))


# Root's kernels run as another user. Landlock, without mounts of its own, shows them the installation where it
# lies: in a private folder they cannot read it, and the sandbox says so.
_readable = os.geteuid() != 0 or (
    _for_everybody(packages_folder()) and _for_everybody(Path(kernel.__path__[0]))
)


@pytest.fixture(params=["bubblewrap", "landlock"] if _readable else ["bubblewrap"])
def mechanism(request: pytest.FixtureRequest) -> str:
    """Each mechanism; one that does not work here fails the test, as it would fail its users."""
    assert request.param in sandbox.available(), sandbox.why_not(request.param)
    return str(request.param)


@pytest.fixture
def environment(mechanism: str) -> Iterator[REPLEnvironment]:
    """An environment after a reset, without spare kernels."""
    settings = REPLSettings(sandbox=mechanism, spare_kernels=0, cell_timeout=20.0)  # type: ignore[arg-type]
    environment = REPLEnvironment(settings)
    environment.reset(seed=1)
    yield environment
    environment.close()


@pytest.fixture
def run(environment: REPLEnvironment) -> Run:
    """Runs a cell."""
    return lambda code, **options: environment.step(REPLAction(code=code, **options))
