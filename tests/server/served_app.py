"""An app for the tests that run a server process: its steps wait for files that the test makes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fastapi import FastAPI

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, Parrot, Say


class Gated(Parrot):
    """ "sleep" waits for the file ``wake``; files say how far the environment is."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = Path(os.environ["GATE_DIRECTORY"])

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message == "sleep":
            (self._directory / "asleep").touch()
            while not (self._directory / "wake").exists():
                time.sleep(0.01)
        return super().step(action, timeout_s)

    def close(self) -> None:
        (self._directory / "closed").touch()


def make_app() -> FastAPI:
    return create_app(Gated, Say, Heard)


def broken_app() -> FastAPI:
    raise RuntimeError("a part is missing")
