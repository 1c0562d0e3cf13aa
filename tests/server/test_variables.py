"""What environment variables may hold, and how a mistake in one is told."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.server.variables import Variables


def test_what_is_not_set_or_empty_has_its_default():
    for variables in (Variables({}), Variables({"X": ""})):
        assert variables.text("X", "a") == variables.word("X", "a") == "a"
        assert (variables.number("X", 0.0), variables.count("X", -1)) == (0.0, -1), "taken as they are"
        assert variables.flag("X", True)
        assert variables.choice("X", "b", ["a", "b"]) == "b"


def test_white_space_counts_in_texts_alone():
    variables = Variables({"X": " 1 "})
    assert (variables.text("X"), variables.word("X")) == (" 1 ", "1")
    assert (variables.number("X", 0.0), variables.count("X", 0)) == (1.0, 1)
    assert variables.flag("X", False)
    assert variables.choice("X", "0", ["0", "1"]) == "1"


def test_this_processs_own_are_read_where_none_are_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("X", "7")
    assert Variables().count("X", 0) == 7


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        *((value, {}) for value in ("0", "-1", "soon", "nan", "inf", "1_0x")),
        ("0.9", {"least": 1}),
        ("-inf", {"least": -5}),
        ("11", {"most": 10}),
    ],
)
def test_a_number_out_of_bounds_is_named(value: str, bounds: dict[str, Any]):
    with pytest.raises(UsageError, match=rf"X='{value}': expected a number"):
        Variables({"X": value}).number("X", 1.0, **bounds)


@pytest.mark.parametrize("value", ["0", "0.5", "2.5", "-1"])
def test_a_count_is_whole_and_not_nothing(value: str):
    with pytest.raises(UsageError, match=rf"X='{value}': expected a (whole )?number"):
        Variables({"X": value}).count("X", 7)
    assert Variables({"X": "1e9"}).count("X", 7) == 10**9


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("10", 10), ("2.5", 2.5)])
def test_bounds_are_part_of_what_they_bound(value: str, expected: float):
    assert Variables({"X": value}).number("X", 1.0, least=0, most=10) == expected


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("on", True), ("NO", False), ("0", False)])
def test_flags(value: str, expected: bool):
    assert Variables({"X": value}).flag("X", not expected) is expected


def test_other_words_are_refused():
    with pytest.raises(UsageError, match="X='maybe': expected true or false"):
        Variables({"X": "maybe"}).flag("X", True)
    with pytest.raises(UsageError, match="X='c': expected one of a, b"):
        Variables({"X": "c"}).choice("X", "a", ["a", "b"])
