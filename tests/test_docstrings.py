"""Shown code is run code: docstrings' examples and blocks, and documents' fragments."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from tests.docstrings import Docstring, docstrings
from tests.documents import ROOT
from tests.scenes import PICTURES, PLAYED_ELSEWHERE, SCENES, play, shown_blocks
from tests.shown_code import Block, docstring_blocks

EXAMPLES = [one for one in docstrings() if ">>>" in one.text]
BLOCKS = shown_blocks()
HERE = [block for block in BLOCKS if block.place not in PLAYED_ELSEWHERE]


@pytest.mark.parametrize("docstring", EXAMPLES, ids=lambda docstring: docstring.place)
def test_example_is_true(docstring: Docstring) -> None:
    docstring.run_examples()


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.place)
def test_block_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    play(block)


@pytest.mark.parametrize("file", sorted(set(PLAYED_ELSEWHERE.values())))
def test_what_is_played_elsewhere_is(file: str) -> None:
    assert f'blocks_played_in("{file}")' in (ROOT / file).read_text()


def test_docstrings_show_code_where_it_is_found() -> None:
    assert {one.place: one.hidden for one in docstrings() if one.hidden} == {}


def test_pictures_are_no_code() -> None:
    shown = {block.place: block.code for block in docstring_blocks()}
    for place in PICTURES:
        with pytest.raises(SyntaxError):
            ast.parse(shown[place])


def test_the_tables_speak_of_what_is_shown() -> None:
    places = {block.place for block in BLOCKS}
    assert {*SCENES, *PLAYED_ELSEWHERE} <= places


@pytest.mark.parametrize(
    "text",
    [
        "Do it.\n\n    do(it)",
        "Do it::\n\n    do(it)\n\nor else:\n\n    do(that)",
        "Do it:\n\n```python\ndo(it)\n```",
        "Do it.\n\nExample:\n    ``do(it)``",
        "Do it.\n\n>>> do(it)  # doctest: +SKIP",
        "Do it.\n\nArgs:\n    it: What to do.\n\n        do(it)\n    more: Nothing.",
    ],
)
def test_hidden_code_is_found(text: str) -> None:
    assert Docstring("a place", "a_module", text).hidden


def test_blocks_of_a_docstring_are_found() -> None:
    text = """
    Do it::

        do(it)

        with it:
            more()

    Args:
        it: What, as in::

                it = 1
        to: Whom
            it is done to.
    """
    docstring = Docstring("a place", "a_module", inspect.cleandoc(text))
    assert docstring.blocks == ["do(it)\n\nwith it:\n    more()\n", "it = 1\n"]
    assert docstring.hidden == []
