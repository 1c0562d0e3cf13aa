"""Spaces of single numbers, and of bounded sequences."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Sequence
from gymnasium.vector.utils import batch_space

from openenv_gym.spaces import ArraySequence, Scalar, Text

INT64 = np.iinfo(np.int64)
BOUNDS = [
    (-math.inf, math.inf, np.float64),
    (0.0, math.inf, np.float64),
    (-math.inf, -3.5, np.float64),
    (-1.5, 2.5, np.float64),
    (-1.7e308, 1.7e308, np.float64),
    (5e-324, 5e-324, np.float64),
    (-math.inf, math.inf, np.int64),
    (0, math.inf, np.int64),
    (INT64.max - 2, math.inf, np.int64),
    (-math.inf, INT64.min + 2, np.int64),
    (INT64.min, INT64.max - 1, np.int64),
]


@pytest.mark.parametrize(("low", "high", "dtype"), BOUNDS)
def test_samples_are_zero_dimensional_and_contained(low: float, high: float, dtype: type) -> None:
    space = Scalar(low, high, dtype, seed=1)
    for _ in range(50):
        sample = space.sample()
        assert isinstance(sample, np.ndarray)
        assert sample.shape == ()
        assert sample.dtype == dtype
        assert space.contains(sample)


# Without the bounds near the ends of int64, where Gymnasium's own Box cannot sample.
@pytest.mark.parametrize(("low", "high", "dtype"), BOUNDS[:4] + BOUNDS[6:8])
def test_batches_keep_the_bounds_and_sample_within(low: float, high: float, dtype: type) -> None:
    batched = batch_space(Scalar(low, high, dtype, seed=1), 4)
    assert isinstance(batched, Box)
    assert batched.shape == (4,)
    assert batched.contains(batched.sample())


def test_scalars_equal_plain_boxes() -> None:
    assert Scalar(0, 1) == Box(0, 1, (), np.float64)
    assert copy.deepcopy(Scalar(0, 1)) == Scalar(0, 1)
    assert pickle.loads(pickle.dumps(Scalar(0, math.inf, np.int64))) == Scalar(0, math.inf, np.int64)


def test_numbers_of_every_wrapping_are_contained_without_a_warning() -> None:
    space = Scalar(-1, 1)
    for number in (0, 0.5, np.float64(0.5), np.float32(0.5), np.int8(1), np.array(0.5)):
        assert space.contains(number)
    for other in (2, np.array([0.5]), "0", None, True, np.array(True), 1j):
        assert not space.contains(other)


def test_nan_is_contained_only_where_nothing_bounds() -> None:
    assert Scalar().contains(np.nan)
    assert Scalar().contains(np.inf)
    assert not Scalar(0).contains(np.nan)
    assert Scalar(0).contains(np.inf)
    assert not Scalar(0, 1).contains(np.inf)


def test_a_sequence_keeps_to_its_length_in_samples_and_membership() -> None:
    space = ArraySequence(Discrete(3), min_length=1, max_length=2, seed=5)
    assert {len(space.sample()) for _ in range(30)} == {1, 2}
    assert space.contains((np.int64(1),))
    for other in ((), (0, 1, 2), [0], (3,)):
        assert not space.contains(other)


def test_a_unique_sequence_repeats_nothing() -> None:
    space = ArraySequence(Discrete(4), min_length=3, unique=True, seed=5)
    for _ in range(20):
        sample = space.sample()
        assert space.contains(sample)
        assert len({int(item) for item in sample}) == len(sample) >= 3
    assert not space.contains((np.int64(1), 1, 2))


def test_sequences_are_equal_by_items_and_bounds() -> None:
    space = ArraySequence(Text(), max_length=3)
    assert space == copy.deepcopy(space) == pickle.loads(pickle.dumps(space))
    assert space != ArraySequence(Text(), max_length=4)
    assert space != Sequence(Text())
    assert ArraySequence(Text(), max_length=3, unique=True) != space
    with pytest.raises(ValueError, match="min_length"):
        ArraySequence(Text(), min_length=3, max_length=2)
