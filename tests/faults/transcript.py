"""What a session's user was told, call by call, and the same calls made again without disturbance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openenv_gym.client.pool import SessionPool
from openenv_gym.errors import CapacityError, OpenEnvGymError, ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request

PATIENCE = 60.0  # seconds; only what is broken takes them


NO_SERVER = (ServerUnreachableError, CapacityError)


@dataclass(frozen=True, slots=True)
class Told:
    """One call and its answer.

    Attributes:
        op: ``reset`` or ``step``.
        number: The seed or the token.
        digest: What the answer said of all calls so far.
        calls: Likewise, their number.
        reward: As told.
        done: Whether the episode is over.
    """

    op: Op
    number: int
    digest: str
    calls: int
    reward: float
    done: bool

    @property
    def request(self) -> Request:
        """The call, made without a nap."""
        payload = {"seed": self.number} if self.op is Op.RESET else {"token": self.number}
        return Request(self.op, payload)


@dataclass(slots=True)
class Life:
    """One session from its beginning to its end, or to the fault that ended it."""

    told: list[Told] = field(default_factory=list)
    fault: OpenEnvGymError | str | None = None

    @property
    def ended_well(self) -> bool:
        """Whether its user knows that it is over: by a fault, or since its last episode was."""
        return self.fault is not None or self.told[-1].done


class Transcript:
    """All that one user was told, session after session.

    Args:
        name: Of the user, and of the ledger of its sessions.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lives: list[Life] = []

    def tell(self, op: Op, number: int, observation: Mapping[str, Any], reward: float, done: bool) -> None:
        """Record an answer; the first call of a session begins a life."""
        told = Told(op, number, observation["digest"], int(observation["calls"]), float(reward), bool(done))
        if told.calls == 1:
            self.lives.append(Life())
        self.lives[-1].told.append(told)

    def report(self, fault: OpenEnvGymError | str) -> None:
        """Record a fault, which ends a life; the next must not end before it has begun.

        Only finding no server may be reported again and again, by those who look for one themselves.
        """
        if self.lives and self.lives[-1].fault is None:
            self.lives[-1].fault = fault
        else:
            assert isinstance(fault, NO_SERVER), f"{self.name}: a second fault, {fault!r}"

    @property
    def answered(self) -> int:
        """Calls that were answered."""
        return sum(len(life.told) for life in self.lives)


def undisturbed(base_url: str, lives: Sequence[Life]) -> list[list[Told]]:
    """Make the calls of each life again, on a fresh session of a server that nothing stands before."""
    answers: list[list[Told]] = [[] for _ in lives]
    with SessionPool([Endpoint(base_url)], len(lives), connect_timeout=PATIENCE) as pool:
        pool.submit([(lane, life.told[0].request) for lane, life in enumerate(lives) if life.told], PATIENCE)
        running = sum(bool(life.told) for life in lives)
        while running:
            following = []
            for lane, result in pool.collect(1):
                answers[lane].append(_told(lives[lane].told[len(answers[lane])], result))
                if len(answers[lane]) < len(lives[lane].told):
                    following.append((lane, lives[lane].told[len(answers[lane])].request))
                else:
                    running -= 1
            pool.submit(following, PATIENCE)
    return answers


def _told(before: Told, result: Any) -> Told:
    assert not isinstance(result, OpenEnvGymError), f"the undisturbed run failed: {result!r}"
    assert isinstance(result, Outcome)
    seen = result.observation
    return Told(
        before.op, before.number, seen["digest"], seen["calls"], float(result.reward or 0.0), result.done
    )


def check(transcripts: Sequence[Transcript], base_url: str) -> None:
    """Compare every session's transcript with an undisturbed run of the same calls."""
    lives = [(transcript, life) for transcript in transcripts for life in transcript.lives]
    for begin in range(0, len(lives), 64):
        part = lives[begin : begin + 64]
        answers = undisturbed(base_url, [life for _, life in part])
        for (transcript, life), expected in zip(part, answers, strict=True):
            for position, (told, right) in enumerate(zip(life.told, expected, strict=True)):
                assert told == right, f"{transcript.name}, call {position}: told {told}, undisturbed {right}"
