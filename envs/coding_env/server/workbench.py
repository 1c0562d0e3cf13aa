"""Workbench: a sandbox of its own with one interpreter in it, for one episode."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from coding_env.inside.channel import RUN, SEED
from coding_env.server.interpreter import Interpreter, Outcome, Patience
from coding_env.server.settings import CodingSettings
from openenv_gym.errors import MissingExtraError, SandboxError
from openenv_gym.sandbox import Limits, Mount, Sandbox, SandboxSpec, open_sandbox, system_paths

SHOWN_FOLDER = "/tmp"
"""Where the code believes to work; the only place that it can write to."""

_START_SECONDS = 60.0
# A session's own end comes first; spares may wait for long.
_MAX_AGE = 30 * 24 * 3600.0
_PACKAGES = "/packages"
_SHARED = ("channel", "seeding")
_MODULES = {
    "python": (*_SHARED, "python_executor", "worker"),
    "smolagents": (*_SHARED, "smolagents_executor", "worker"),
    "judge": ("channel", "judge"),
}


class Workbench:
    """Opened for one episode, or for the judge, and closed with it; ready when it is made.

    Args:
        settings: Limits, packages, mechanism.
        program: An executor's name, or "judge".

    Raises:
        SandboxError: Nothing can confine code here, or no Python can run confined.
        MissingExtraError: The executor is not installed.
    """

    def __init__(self, settings: CodingSettings, program: str) -> None:
        self._settings = settings
        folders = [*settings.packages, *(_smolagents_folders() if program == "smolagents" else [])]
        mounts = tuple(Mount(path, f"{_PACKAGES}/{number}") for number, path in enumerate(folders))
        limits = settings.limits
        self._sandbox = open_sandbox(
            SandboxSpec(
                mounts=mounts,
                workdir=SHOWN_FOLDER,
                environ={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
                limits=Limits(
                    wall_seconds=_MAX_AGE,
                    cpu_seconds=limits.cpu_seconds,
                    memory_bytes=limits.memory_bytes,
                    processes=limits.processes,
                    file_bytes=limits.disk_bytes,
                    disk_bytes=limits.disk_bytes,
                ),
            ),
            settings.sandbox,
        )
        try:
            paths = [self._sandbox.path_inside(mount.target) for mount in mounts]
            self._interpreter = self._start(program, paths)
        except BaseException:
            self._sandbox.close()
            raise

    @property
    def mechanism(self) -> str:
        """What confines: "bubblewrap", "landlock", or "none" where the operator chose that."""
        return self._sandbox.mechanism

    @property
    def alive(self) -> bool:
        """It can run code."""
        return self._interpreter.alive

    def run(self, number: int, code: str, patience: Patience) -> Outcome:
        """Run code as step ``number``."""
        return self._interpreter.request(RUN, number, code, patience)

    def seed(self, seed: int) -> None:
        """Fix what the code will draw at random.

        Raises:
            SandboxError: The interpreter has failed.
        """
        outcome = self._interpreter.request(SEED, 0, str(seed), Patience(_START_SECONDS))
        if not outcome.alive or outcome.exit_code:
            raise SandboxError(f"an interpreter failed when it was seeded: {outcome.stderr.text()}")

    def shown(self, text: str) -> str:
        """What the code printed, as it looks under every mechanism."""
        real = self._sandbox.path_inside(SHOWN_FOLDER)
        return text if real == SHOWN_FOLDER else text.replace(real, SHOWN_FOLDER)

    def close(self) -> None:
        """End everything in it, and remove its files. Idempotent."""
        self._sandbox.close()
        self._interpreter.close()

    def _start(self, program: str, packages: list[str]) -> Interpreter:
        python = _python(self._sandbox, self._settings.python)
        arguments = () if program == "judge" else (program, *packages)
        interpreter = Interpreter(self._sandbox, python, _MODULES[program], arguments)
        greeting = interpreter.receive_greeting(_START_SECONDS)
        if not greeting.alive:
            interpreter.close()
            raise SandboxError(
                f"{python} ended with {greeting.exit_code} when it was started in a sandbox: "
                f"{greeting.stderr.text().strip()}"
            )
        return interpreter


_pythons: dict[tuple[str, str | None], str] = {}


def _python(sandbox: Sandbox, chosen: str | None) -> str:
    """A Python that the sandbox's user can run; not every installation's folder lets others in.

    Raises:
        SandboxError: There is none.
    """
    key = (sandbox.mechanism, chosen)
    if key not in _pythons:
        _pythons[key] = next(_running(sandbox, chosen), "")
    if not _pythons[key]:
        raise SandboxError(
            "no Python can be run by the sandbox's user: install python3 for all users (apt-get install"
            " python3), or name one that they can run in CODING_PYTHON"
        )
    return _pythons[key]


def _running(sandbox: Sandbox, chosen: str | None) -> Iterator[str]:
    for candidate in [chosen] if chosen else [system_paths.interpreter(), "/usr/bin/python3"]:
        try:
            if sandbox.run([candidate, "-s", "-P", "-c", "pass"]).exit_code == 0:
                yield candidate
        except OSError:
            continue


@functools.cache
def _smolagents_folders() -> list[Path]:
    """Where smolagents, and what it imports, is installed.

    Raises:
        MissingExtraError: It is not.
    """
    spec = find_spec("smolagents")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the smolagents executor", "coding-smolagents")
    return [Path(spec.origin).parents[1]]
