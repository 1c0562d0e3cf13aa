"""What callers hand to a vector environment for all lanes at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from openenv_gym.adapters.arguments import split_actions
from openenv_gym.errors import InvalidActionError, UsageError
from openenv_gym.spaces.text import Text

SPACE = Dict({"text": Text(max_length=10), "point": Box(-1.0, 1.0, (2,)), "kind": Discrete(3)})
BATCH = {"text": ("a", "b"), "point": np.zeros((2, 2), np.float32), "kind": np.array([0, 1])}


def test_a_batch_and_a_list_are_split_alike() -> None:
    split = split_actions(SPACE, BATCH, 2)
    assert [action["text"] for action in split] == ["a", "b"]
    assert [int(action["kind"]) for action in split] == [0, 1]
    assert split_actions(SPACE, split, 2) == split


@pytest.mark.parametrize(
    "actions",
    [
        None,
        5,
        np.zeros(2),
        {},
        {**BATCH, "other": (1, 2)},
        {**BATCH, "text": "ab"},
        {**BATCH, "text": ("a", "b", "c")},
        {**BATCH, "kind": 1},
    ],
    ids=["none", "number", "array", "empty", "unknown", "one-text", "too-many-texts", "one-kind"],
)
def test_what_is_no_batch_is_refused_with_the_way_out(actions: Any) -> None:
    with pytest.raises(InvalidActionError, match="a list with one action a lane"):
        split_actions(SPACE, actions, 2)


def test_too_few_are_counted() -> None:
    with pytest.raises(UsageError, match="2 actions for 3 lanes"):
        split_actions(SPACE, BATCH, 3)
