"""The REPL environment's parts without a kernel: frames, cells, answers, settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_gym.errors import UsageError
from repl_env.kernel.frames import Channel, FrameError, FrameReader, encode
from repl_env.server.cell import Cell
from repl_env.server.final_answer import final_answer
from repl_env.server.settings import REPLSettings

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = ["execute_reply", "status", "stream", "display_data", "execute_result", "error", "comm_open"]


@given(
    st.lists(st.tuples(st.sampled_from(Channel), st.lists(st.binary(max_size=50), max_size=8)), max_size=5),
    st.integers(min_value=1, max_value=7),
)
def test_frames_survive_any_cut(messages: list[tuple[Channel, list[bytes]]], size: int) -> None:
    stream = b"".join(encode(channel, parts) for channel, parts in messages)
    reader = FrameReader(50)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == messages


def test_frames_are_bounded() -> None:
    with pytest.raises(FrameError, match="a part of 11 bytes, more than 10"):
        list(FrameReader(10).feed(encode(Channel.SHELL, [b"x" * 11])))
    with pytest.raises(FrameError, match="channel 255"):
        list(FrameReader(10).feed(b"\xff\xff"))


def message(kind: str, **content: Any) -> dict[str, Any]:
    return {"msg_type": kind, "content": content}


@given(st.sampled_from(Channel), st.sampled_from(KINDS), st.dictionaries(st.text(), json_values))
def test_a_cell_takes_whatever_a_kernel_says(channel: Channel, kind: str, content: dict[str, Any]) -> None:
    keys = ("text", "data", "traceback", "namespace", "execution_state", "ename")
    cell = Cell(10, 10)
    cell.take(channel, message(kind, **content))
    for key in keys:
        for value in content.values():
            cell.take(channel, message(kind, **{key: value}))
    assert isinstance(cell.stdout + cell.stderr, str)


def test_a_cell_is_over_when_both_channels_say_so() -> None:
    cell = Cell(100, 100)
    assert not cell.take(Channel.SHELL, message("execute_reply", namespace={"names": ["x", 1]}))
    assert cell.take(Channel.IOPUB, message("status", execution_state="idle"))
    assert cell.namespace.names == ["x", "1"]


def test_streams_join_and_end_at_their_limit() -> None:
    cell = Cell(5, 100)
    for text in ("ab", "cd", "ef", "gh"):
        cell.take(Channel.IOPUB, message("stream", name="stdout", text=text))
    cell.take(Channel.IOPUB, message("stream", name="stderr", text="err"))
    assert cell.outputs[0]["text"].startswith("abcde\n... (more than 5 characters")
    assert cell.stderr == "err"


@pytest.mark.parametrize(
    ("printed", "answer"),
    [
        ("FINAL(42)", "42"),
        ("so FINAL( a (b) c ) and more)", "a (b) c"),
        ("FINAL(:-( sad)", ":-( sad"),
        ("FINAL(", None),
        ("nothing", None),
        ("FINAL_VAR(x)", "value of x"),
        ("FINAL_VAR('x')", "value of x"),
        ("FINAL_VAR(unknown)", None),
    ],
)
def test_printed_answers(printed: str, answer: str | None) -> None:
    cell = Cell(100, 100)
    cell.take(Channel.IOPUB, message("stream", name="stdout", text=printed))
    assert final_answer(cell, {"x": "value of x"}.get) == answer


def test_settings_say_what_is_wrong() -> None:
    assert REPLSettings.from_environ({"REPL_MAX_ITERATIONS": "5"}).max_iterations == 5
    with pytest.raises(UsageError, match="REPL_CELL_TIMEOUT='soon'"):
        REPLSettings.from_environ({"REPL_CELL_TIMEOUT": "soon"})
    with pytest.raises(UsageError, match="REPL_SANDBOX='docker'"):
        REPLSettings.from_environ({"REPL_SANDBOX": "docker"})
