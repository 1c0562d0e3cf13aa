from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.server.host import Answer, Job, Question
from openenv_gym.server.worker_messages import job_message, read_job, read_reply, reply_message
from openenv_gym.wire import pipe
from openenv_gym.wire.messages import ErrorReply, McpReply, Op, Outcome, Reply, Request, StateReply


def through_the_pipe(message: Any) -> Any:
    return pipe.decode(pipe.encode(message)[pipe.HEADER_SIZE :])


@pytest.mark.parametrize(
    "job", [Request(Op.RESET, {"seed": 3}), Request(Op.STATE), Question("get_task", {"i": 1})]
)
@pytest.mark.parametrize("timeout", [None, 2.5])
def test_jobs(job: Job, timeout: float | None) -> None:
    assert read_job(through_the_pipe(job_message(job, timeout))) == (job, timeout)


@pytest.mark.parametrize(
    "reply",
    [
        Outcome({"a": [1]}, 0.5, True, False, {"b": None}),
        Outcome({}),
        StateReply({"step_count": 1}),
        McpReply({"id": 1}),
        Answer(["train"]),
        ErrorReply("EXECUTION_ERROR", "it broke", {"type": "ValueError"}),
    ],
)
def test_replies(reply: Reply | Answer) -> None:
    assert read_reply(through_the_pipe(reply_message(reply))) == reply


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
        {"type": "state"},
    ],
)
def test_a_worker_is_not_trusted(message: Any) -> None:
    with pytest.raises(pipe.FrameError, match="not a reply"):
        read_reply(message)


def test_what_is_no_job_is_refused() -> None:
    with pytest.raises(pipe.FrameError, match="not a job"):
        read_job(["launch", {}, None])
