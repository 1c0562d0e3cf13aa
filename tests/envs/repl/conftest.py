"""An environment of the REPL for each mechanism that works here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openenv_gym import sandbox
from repl_env import REPLAction, REPLObservation, kernel
from repl_env.server.packages import packages_folder
from repl_env.server.repl_environment import REPLEnvironment
from repl_env.server.settings import REPLSettings
from tests.mechanisms import mechanisms_that_show

Run = Callable[..., REPLObservation]


MECHANISMS = mechanisms_that_show(packages_folder(), Path(kernel.__path__[0]))


@pytest.fixture(params=MECHANISMS)
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
