"""What is shown of a pull."""

from __future__ import annotations

import io
import sys

import pytest

from openenv_gym.providers.docker.pull_progress import PullLines, pull_display
from openenv_gym.providers.docker.pulling import _with_tag

EVENTS = [
    {"status": "Pulling from library/image", "id": "latest"},
    {"status": "Pulling fs layer", "id": "aaa", "progressDetail": {}},
    {"status": "Downloading", "id": "aaa", "progressDetail": {"current": 1 << 20, "total": 4 << 20}},
    {"status": "Downloading", "id": "bbb", "progressDetail": {"current": 2 << 20, "total": 2 << 20}},
    {"status": "Download complete", "id": "aaa", "progressDetail": {}},
    {"status": "Extracting", "id": "aaa", "progressDetail": {"current": 1, "units": "s"}},
    {"status": "Pull complete", "id": "aaa", "progressDetail": {}},
    {"status": "Digest: sha256:0"},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_all() -> None:
    with pull_display("image:tag") as show:
        for event in EVENTS:
            show(event)


def test_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]):
    show_all()
    assert capsys.readouterr() == ("", "")


def test_bars_a_layer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    show_all()
    shown = terminal.getvalue()
    assert "pulling image:tag" in shown
    assert "aaa" in shown
    assert "bbb" in shown
    assert "latest" not in shown


def test_lines_without_rich(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    show_all()
    assert terminal.getvalue().startswith("pulling image:tag: 0 of 0 MiB\n")


def test_lines_now_and_then(capsys: pytest.CaptureFixture[str]):
    now = 0.0
    lines = PullLines("image", lambda: now)
    for event in EVENTS:
        lines(event)
    now = 5.0
    lines(EVENTS[-1])
    assert capsys.readouterr().err == "pulling image: 0 of 0 MiB\npulling image: 3 of 6 MiB\n"


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("image", "image:latest"),
        ("image:tag", "image:tag"),
        ("host:5000/image", "host:5000/image:latest"),
        ("host:5000/image:tag", "host:5000/image:tag"),
        ("image@sha256:0", "image@sha256:0"),
    ],
)
def test_one_tag_is_pulled(name: str, whole: str):
    assert _with_tag(name) == whole
