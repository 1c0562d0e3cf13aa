"""When a server that does not answer is taken for hung. No I/O; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthRules:
    """How servers are watched.

    One whose process or container has ended is known as such after ``look_interval``; one that is paused,
    after ``misses`` of them; one that answers nothing, after ``misses`` times ``timeout`` or a little more.
    That is to be longer than a step of an environment that runs on its server's own event loop
    (``EXECUTION = "inline"``): the server answers nothing meanwhile.

    Attributes:
        look_interval: Seconds between looks at whether a server's process or container runs.
        interval: Seconds between two questions, ``GET /health``.
        timeout: Seconds an answer may take.
        misses: Questions in a row without a good answer after which a server is hung.
    """

    look_interval: float = 1.0
    interval: float = 2.0
    timeout: float = 5.0
    misses: int = 3


class Health:
    """One server's answers so far.

    Args:
        rules: When it is asked, and how patiently.
        now: The time in seconds.

    Attributes:
        answered_at: When it last answered.
    """

    def __init__(self, rules: HealthRules, now: float) -> None:
        self._rules = rules
        self.answered_at = now
        self._missed = 0
        self._look_at = now + rules.look_interval
        self._ask_at = now + rules.interval

    @property
    def wakeup(self) -> float:
        """When it is to be looked at next."""
        return min(self._look_at, self._ask_at)

    def take_turn(self, now: float) -> bool:
        """Begin a look; return whether to ask a question too."""
        asks = now >= self._ask_at
        self._look_at = now + self._rules.look_interval
        if asks:
            self._ask_at = now + self._rules.interval
        return asks

    def put_off(self, now: float) -> None:
        """Ask no question for a while: a look alone has told that there is no answer to be had."""
        self._ask_at = now + self._rules.interval

    def answered(self, now: float) -> None:
        """Record a good answer."""
        self.answered_at = now
        self._missed = 0

    def missed(self) -> bool:
        """Record that none came; return whether the server is hung."""
        self._missed += 1
        return self._missed >= self._rules.misses

    def forgive(self) -> None:
        """Take back the misses: it was this process that was held up."""
        self._missed = 0
