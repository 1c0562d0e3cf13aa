"""The free-text space: membership, sampling, copies, and gymnasium's functions over it."""

from __future__ import annotations

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, unflatten
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_gym.spaces import Text
from openenv_gym.spaces.text import UnicodeCharacters

EDGES = [
    "",
    "\x00",
    "a\x00b",
    "naïve",
    "e\u0301",
    "日本語",
    "😀👩‍👩‍👧",
    "\U0010ffff",
    "\ud7ff\ue000",
    "x" * 2**20,
]


@pytest.mark.parametrize("text", EDGES, ids=range(len(EDGES)))
def test_any_unicode_text_up_to_the_bound_is_contained(text: str) -> None:
    assert Text().contains(text)


@pytest.mark.parametrize("value", ["x" * (2**20 + 1), "\ud800", "ok\udfff", b"bytes", 3, None, ["a"]])
def test_too_long_text_surrogates_and_other_types_are_not_contained(value: object) -> None:
    assert not Text().contains(value)


def test_length_is_counted_in_characters() -> None:
    space = Text(2, min_length=1)
    assert not space.contains("")
    assert space.contains("😀😀")
    assert not space.contains("abc")


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (4, 3)])
def test_impossible_bounds_are_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="min_length"):
        Text(high, min_length=low)


def test_samples_are_short_random_and_repeat_with_the_seed() -> None:
    space = Text(seed=7)
    samples = [space.sample() for _ in range(200)]
    again = Text(seed=7)
    assert samples == [again.sample() for _ in range(200)]
    assert all(space.contains(sample) and len(sample) <= 64 for sample in samples)
    assert len(set(samples)) > 150
    assert any(not sample.isascii() for sample in samples)
    assert samples != [Text(seed=8).sample() for _ in range(200)]


def test_samples_honour_bounds_and_a_fixed_length() -> None:
    assert {len(Text(2, min_length=2, seed=0).sample()) for _ in range(5)} == {2}
    assert len(Text(500, min_length=100, seed=0).sample()) == 100
    assert len(Text(seed=0).sample(mask=(5, None))) == 5
    assert len(Text(seed=0).sample(mask=(None, None))) <= 64
    with pytest.raises(ValueError, match="length"):
        Text(3).sample(mask=(4, None))
    with pytest.raises(ValueError, match="mask over its characters"):
        Text(3).sample(mask=(2, np.ones(4, np.int8)))


def test_copies_are_equal_and_small() -> None:
    space = Text(5, min_length=1, seed=3)
    assert copy.deepcopy(space) == space
    assert pickle.loads(pickle.dumps(space)) == space
    assert pickle.loads(pickle.dumps(space)).sample() == space.sample()
    assert len(pickle.dumps(Text())) < 500
    assert repr(space) == "Text(1, 5, charset=Unicode)"


def test_equality_is_of_bounds_and_kind() -> None:
    assert Text(5) == Text(5)
    assert Text(5) != Text(6)
    assert Text(5, min_length=1) != gymnasium.spaces.Text(5)
    assert gymnasium.spaces.Text(5) != Text(5, min_length=1)


def test_the_character_tables_agree_with_each_other() -> None:
    space = Text()
    assert len(space.character_set) == len(space.character_list) == len(space.characters) == 1_112_064
    for char in ("\x00", "a", "\ud7ff", "\ue000", "\U0010ffff"):
        assert char in space.character_set
        assert space.character_list[space.character_index(char)] == char
    assert "\ud800" not in space.character_set
    assert space.character_set == UnicodeCharacters()


@settings(derandomize=True, max_examples=50, deadline=None, database=None)
@given(st.text(max_size=20))
def test_flattening_goes_both_ways(text: str) -> None:
    space = Text(20)
    flat = flatten(space, text)
    assert flatdim(space) == 20
    assert flatten_space(space).contains(flat)
    assert unflatten(space, flat) == text


def test_batches_are_tuples_of_texts() -> None:
    space = Text(min_length=1)
    batched = batch_space(space, 3)
    texts = concatenate(space, ["a", "é", "😀"], create_empty_array(space, 3))
    assert texts == ("a", "é", "😀")
    assert batched.contains(texts)
    assert batched.contains(create_empty_array(space, 3))
    assert list(iterate(batched, texts)) == ["a", "é", "😀"]
    assert batched.contains(batched.sample())
