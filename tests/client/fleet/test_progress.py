"""How far a fleet's start is: a bar on a terminal, lines in the log elsewhere, and never a reason to fail."""

from __future__ import annotations

import io
import sys

import pytest

from openenv_gym.client.fleet.progress import showing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(wanted: bool | None) -> None:
    with showing("echo", 3, wanted) as meter:
        for ready in (0, 1, 1, 3):
            meter(ready)


def test_lines_in_the_log_where_there_is_no_terminal(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    show(None)
    assert [record.getMessage() for record in caplog.records] == [
        "echo: 1 of 3 servers are up",
        "echo: 3 of 3 servers are up",
    ]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    show(None)
    assert "starting echo" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert not caplog.records


@pytest.mark.parametrize("is_missing", [True, False])
def test_no_bar_without_rich_or_when_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_missing: bool
) -> None:
    caplog.set_level("INFO")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    if is_missing:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    show(None if is_missing else False)
    assert terminal.getvalue() == ""
    assert len(caplog.records) == 2
