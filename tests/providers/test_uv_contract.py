"""`UVProvider` keeps what every provider promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from openenv_gym.client.schemas import fetch_health
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.uv import UVProvider
from openenv_gym.testing import Attempt, ProviderContract
from tests.providers.projects import CONSTRAINTS, make_project

LAST_WORDS = "this app ends before it serves"


class TestUVProvider(ProviderContract):
    spec = ServerSpec(name="tiny project")
    side_by_side = 3

    @pytest.fixture(autouse=True)
    def projects(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UV_CONSTRAINT", str(CONSTRAINTS))
        self.folder = tmp_path

    def make_provider(self) -> UVProvider:
        return self.provider_of("sound")

    def provider_of(self, name: str, preface: str = "", **options: float) -> UVProvider:
        if not (folder := self.folder / name).exists():
            make_project(folder, preface=preface, package=False)
        return UVProvider(folder, install_timeout=self.patience, **options)

    def cannot_start(self) -> Attempt:
        return Attempt(UVProvider(self.folder / "nowhere"), self.spec, "no project")

    def dies_at_once(self) -> Attempt:
        preface = f"print('OPENENV_GYM_TOKEN', os.environ['OPENENV_GYM_TOKEN'])\nsys.exit({LAST_WORDS!r})"
        return Attempt(self.provider_of("dying", preface), self.spec, LAST_WORDS)

    def never_ready(self, timeout: float) -> Attempt:
        provider = self.provider_of("hanging", "import time\ntime.sleep(600)", ready_timeout=timeout)
        return Attempt(provider, self.spec, f"not ready within {timeout:g} s")

    def use(self, endpoint: Endpoint) -> None:
        fetch_health(endpoint)
