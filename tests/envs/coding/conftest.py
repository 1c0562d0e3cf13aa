"""Coding environments under each sandbox mechanism; both have to work here: nothing is skipped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from coding_env.models import CodeAction, CodeObservation
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.settings import CodingLimits, CodingSettings
from coding_env.server.shared_state import SharedState

LIMITS = CodingLimits(
    step_seconds=10.0,
    grace_seconds=5.0,
    memory_bytes=256 << 20,
    disk_bytes=32 << 20,
    output_bytes=2000,
    printed_bytes=8 << 20,
    processes=24,
)


class Session:
    """An environment in mid-episode, spoken to in code."""

    def __init__(self, environment: CodingEnvironment) -> None:
        self.environment = environment

    def run(self, code: str) -> CodeObservation:
        """Step."""
        return self.environment.step(CodeAction(code=code))

    def output(self, code: str) -> str:
        """Step, and expect success."""
        observation = self.run(code)
        assert observation.exit_code == 0, observation
        return observation.stdout


@pytest.fixture(params=["bubblewrap", "landlock"])
def mechanism(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], SharedState]]:
    """What the sessions of a server share, one server a mechanism."""
    started: dict[str, SharedState] = {}
    with contextlib.ExitStack() as stack:

        def server(mechanism: str) -> SharedState:
            if mechanism not in started:
                settings = CodingSettings(sandbox=mechanism, limits=LIMITS, spares=2)
                started[mechanism] = SharedState(settings)
                stack.callback(started[mechanism].close)
            return started[mechanism]

        yield server


@pytest.fixture
def opened(mechanism: str, servers: Callable[[str], SharedState]) -> Iterator[Callable[..., Session]]:
    """Open sessions on one server, in mid-episode: ``opened(seed=1)`` takes the options of a reset."""
    with contextlib.ExitStack() as stack:

        def open_session(**options: object) -> Session:
            environment = CodingEnvironment(servers(mechanism))
            stack.callback(environment.close)
            environment.reset(**options)
            return Session(environment)

        yield open_session


@pytest.fixture
def session(opened: Callable[..., Session]) -> Session:
    """One session."""
    return opened()
