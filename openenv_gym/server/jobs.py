"""What may be asked of an environment's host, and what it answers: the protocol's calls and a few besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from openenv_gym.wire.messages import Reply, Request

QUESTIONS = frozenset(
    {
        "get_metadata",
        "list_splits",
        "list_tasks",
        "num_tasks",
        "get_task",
        "get_task_range",
        "render_web",
        "web_actions",
    }
)
"""The environment's methods that describe and change nothing, so that anybody may ask for them."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call of one of `QUESTIONS`, with keyword arguments."""

    method: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a `Question`'s method returned, as plain values."""

    value: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What ``snapshot()`` returned; from a host with ``pickles``, as bytes."""

    state: Any


@dataclass(frozen=True, slots=True)
class Restore:
    """Take on a state. Not a request: a client names a snapshot, and never hands one in.

    Attributes:
        state: Of a `Snapshot`.
    """

    method: ClassVar[str] = "restore"

    state: Any


Job = Request | Question | Restore
HostReply = Reply | Answer | Snapshot
