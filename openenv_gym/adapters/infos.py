"""The infos of resets and steps: of one session, and batched as `gymnasium.vector.VectorEnv` batches them.

The keys and their types never vary, because gymnasium batches infos by the first lane's type:
``metadata`` (JSON text), ``reward_given`` (whether the environment sent a reward; a missing one is 0.0),
``fault`` (empty, or what cut the episode: mask such a transition in training).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import Outcome

Rows = Sequence[int] | slice

_NO_METADATA = "{}"


def make_info(outcome: Outcome, fault: str = "") -> dict[str, Any]:
    """Build the info of one session's reset or step."""
    return {
        "metadata": json_codec.encode(outcome.metadata) if outcome.metadata else _NO_METADATA,
        "reward_given": outcome.reward is not None,
        "fault": fault,
    }


def batch_infos(outcomes: Sequence[Outcome], faults: Sequence[str], rows: Rows, count: int) -> dict[str, Any]:
    """Build the infos of a vector environment's reset or step.

    Args:
        outcomes: What some lanes got.
        faults: What cut their episodes.
        rows: Where these lanes are in the batch.
        count: How many rows the batch has.

    Returns:
        For every key of `make_info` an array of shape ``(count,)`` and, under ``_key``, the mask of ``rows``.
    """
    columns = {
        "metadata": (_metadata_texts(outcomes), np.object_),
        "reward_given": ([outcome.reward is not None for outcome in outcomes], np.bool_),
        "fault": (faults, np.object_),
    }
    infos: dict[str, Any] = {}
    for key, (values, dtype) in columns.items():
        infos[key], infos[f"_{key}"] = _column(values, rows, count, dtype), _column(True, rows, count)
    return infos


def batch_finals(
    observations: Sequence[Any],
    outcomes: Sequence[Outcome],
    faults: Sequence[str],
    rows: Sequence[int],
    count: int,
) -> dict[str, Any]:
    """Build ``final_obs`` and ``final_info``, with their masks, of the episodes that SAME_STEP has reset.

    Args:
        observations: Their last observations, as elements of the single observation space.
        outcomes: As for `batch_infos`.
        faults: As for `batch_infos`.
        rows: As for `batch_infos`.
        count: As for `batch_infos`.
    """
    final_obs = np.full(count, None, dtype=object)
    for row, observation in zip(rows, observations, strict=True):
        final_obs[row] = observation
    return {
        "final_obs": final_obs,
        "_final_obs": _column(True, rows, count),
        "final_info": batch_infos(outcomes, faults, rows, count),
        "_final_info": _column(True, rows, count),
    }


def fault_text(error: OpenEnvGymError) -> str:
    """What ``info["fault"]`` says of an error."""
    return f"{type(error).__name__}: {error}"


def _metadata_texts(outcomes: Sequence[Outcome]) -> list[str]:
    metadata = [outcome.metadata or {} for outcome in outcomes]
    return json_codec.encode_each(metadata) if any(metadata) else [_NO_METADATA] * len(metadata)


def _column(values: Any, rows: Rows, count: int, dtype: type = np.bool_) -> NDArray[Any]:
    """Values in their rows; ``None`` or ``False`` in the others."""
    column = np.empty(count, dtype) if dtype is np.object_ else np.zeros(count, dtype)
    column[rows] = values
    return column
