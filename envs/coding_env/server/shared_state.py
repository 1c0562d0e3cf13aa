"""SharedState: what all sessions of one server share - settings, prepared interpreters, the judge."""

from __future__ import annotations

from coding_env.server.judge import Judge
from coding_env.server.settings import CodingSettings
from coding_env.server.workbench_pool import WorkbenchPool


class SharedState:
    """Starts nothing by itself; closed with the server. Thread-safe.

    Args:
        settings: What the operator chose; by default read from the environment's variables.
    """

    def __init__(self, settings: CodingSettings | None = None) -> None:
        self.settings = settings or CodingSettings.from_environ()
        self.pool = WorkbenchPool(self.settings)
        self.judge = Judge(self.settings)

    def open(self) -> None:
        """Begin anew after `close`."""
        self.pool.open()
        self.judge.open()

    def prepare(self) -> None:
        """Start ahead of the first reset what it would otherwise wait for.

        Raises:
            SandboxError: Nothing can confine code here, or no Python can run confined.
        """
        self.pool.prepare(self.settings.executor)
        if self.settings.score:
            self.judge.prepare()

    def close(self) -> None:
        """End every process that no session has. Idempotent."""
        self.pool.close()
        self.judge.close()
