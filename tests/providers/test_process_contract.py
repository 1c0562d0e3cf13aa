"""`ProcessProvider` keeps what every provider promises."""

from __future__ import annotations

from openenv_gym.providers import ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.testing import Attempt, ProviderContract
from openenv_gym.testing.unsound_apps import LAST_WORDS

UNSOUND = "openenv_gym.testing.unsound_apps"


class TestProcessProvider(ProviderContract):
    spec = ServerSpec(app="echo_env.server.app:app")

    def make_provider(self) -> ProcessProvider:
        return ProcessProvider(ready_timeout=self.patience)

    def cannot_start(self) -> Attempt:
        return Attempt(self.make_provider(), ServerSpec(app="no_such_module:app"), "no_such_module")

    def dies_at_once(self) -> Attempt:
        return Attempt(self.make_provider(), ServerSpec(app=f"{UNSOUND}:exits"), LAST_WORDS)

    def never_ready(self, timeout: float) -> Attempt:
        app = ServerSpec(app=f"{UNSOUND}:hangs")
        return Attempt(ProcessProvider(ready_timeout=timeout), app, f"not ready within {timeout:g} s")
