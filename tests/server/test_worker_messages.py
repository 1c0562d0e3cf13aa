from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.server.jobs import Answer, HostReply, Job, Question, Restore, Snapshot
from openenv_gym.server.worker_messages import job_message, read_job, read_reply, reply_message
from openenv_gym.wire import pipe
from openenv_gym.wire.messages import (
    ErrorReply,
    McpReply,
    Op,
    Outcome,
    Request,
    RestoredReply,
    SnapshotReply,
    StateReply,
)


def through_the_pipe(message: Any) -> Any:
    return pipe.decode(pipe.encode(message)[pipe.HEADER_SIZE :])


@pytest.mark.parametrize(
    "job",
    [Request(Op.RESET, {"seed": 3}), Request(Op.STATE), Question("get_task", {"i": 1}), Restore(b"\x80")],
)
@pytest.mark.parametrize("timeout", [None, 2.5])
def test_jobs(job: Job, timeout: float | None) -> None:
    assert read_job(through_the_pipe(job_message(job, timeout))) == (job, timeout)


STEP, STATE, SNAPSHOT = Request(Op.STEP, {}), Request(Op.STATE), Request(Op.SNAPSHOT)


@pytest.mark.parametrize(
    ("job", "reply"),
    [
        (STEP, Outcome({"a": [1]}, 0.5, True, False, {"b": None})),
        (Request(Op.RESET), Outcome({})),
        (STATE, StateReply({"step_count": 1})),
        (Request(Op.MCP), McpReply({"id": 1})),
        (Question("list_splits"), Answer(["train"])),
        (SNAPSHOT, Snapshot(b"pickled")),
        (Restore(b"pickled"), RestoredReply()),
        (STEP, ErrorReply("EXECUTION_ERROR", "it broke", {"type": "ValueError"})),
        (None, ErrorReply("FACTORY_ERROR", "it broke")),
    ],
)
def test_replies(job: Job | None, reply: HostReply) -> None:
    assert read_reply(through_the_pipe(reply_message(reply)), job) == reply


@pytest.mark.parametrize(
    ("job", "reply"),
    [
        (STEP, StateReply({})),
        (STATE, Outcome({})),
        (STEP, Answer(1)),
        (Question("x"), Outcome({})),
        (None, Answer(1)),
        (SNAPSHOT, RestoredReply()),
        (STEP, Snapshot(b"")),
        (Restore(b""), Outcome({})),
    ],
)
def test_a_reply_to_another_question_is_refused(job: Job | None, reply: HostReply) -> None:
    with pytest.raises(pipe.FrameError, match="not the reply that was asked for"):
        read_reply(reply_message(reply), job)


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        ["outcome"],
        ["outcome", {}, "much", False, False, None],
        ["outcome", [], None, False, False, None],
        ["outcome", {}, None, 1, False, None],
        ["state", "won"],
        ["error", 5, "text", {}],
        ["opened"],
        ["snapshot", {"a": 1}],
        {"type": "state"},
    ],
)
def test_a_worker_is_not_trusted(message: Any) -> None:
    with pytest.raises(pipe.FrameError, match="not a reply"):
        read_reply(message, STEP)


def test_a_worker_has_no_handles() -> None:
    with pytest.raises(TypeError, match="states, not handles"):
        reply_message(SnapshotReply("h"))


def test_what_is_no_job_is_refused() -> None:
    with pytest.raises(pipe.FrameError, match="not a job"):
        read_job(["launch", {}, None])
