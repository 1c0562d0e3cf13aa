"""The infos of resets and steps: of one session, and batched as `gymnasium.vector.VectorEnv` batches them.

The keys and their types never vary, because gymnasium batches infos by the first lane's type:
``metadata`` (JSON text), ``reward_given`` (whether the environment sent a reward; a missing one is 0.0),
``fault`` (empty, or what cut the episode: mask such a transition in training).

An environment that is Gymnasium's own has an info of its own, which comes in the metadata, as
``gymnasium_info``: its entries stand beside those keys, and are batched by gymnasium's own rules.
``gymnasium_dtypes`` gives, in the same shape, the dtypes of its arrays and numpy scalars: JSON loses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from openenv_gym.errors import OpenEnvGymError, ProtocolError
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import Outcome

Rows = Sequence[int] | slice

_NO_METADATA = "{}"
_FIXED = frozenset({"metadata", "reward_given", "fault"})
_OWN, _DTYPES = "gymnasium_info", "gymnasium_dtypes"


def make_info(outcome: Outcome, fault: str = "") -> dict[str, Any]:
    """Build the info of one session's reset or step."""
    metadata, own = _split(outcome.metadata)
    return {
        **own,
        "metadata": json_codec.encode(metadata) if metadata else _NO_METADATA,
        "reward_given": outcome.reward is not None,
        "fault": fault,
    }


def own_info(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Take from metadata the info of an environment that has one of its own.

    Raises:
        ProtocolError: Its dtypes do not fit it.
    """
    return _split(metadata)[1]


def batch_infos(outcomes: Sequence[Outcome], faults: Sequence[str], rows: Rows, count: int) -> dict[str, Any]:
    """Build the infos of a vector environment's reset or step.

    Args:
        outcomes: What some lanes got.
        faults: What cut their episodes.
        rows: Where these lanes are in the batch.
        count: How many rows the batch has.

    Returns:
        For every key of `make_info` an array of shape ``(count,)`` and, under ``_key``, the mask of ``rows``.
        Arrays in an environment's own info get a first dimension of that size.
    """
    metadata, owns = zip(*(_split(outcome.metadata) for outcome in outcomes), strict=True)
    columns = {
        "metadata": (_texts(metadata), np.object_),
        "reward_given": ([outcome.reward is not None for outcome in outcomes], np.bool_),
        "fault": (faults, np.object_),
    }
    infos: dict[str, Any] = {}
    for key, (values, dtype) in columns.items():
        infos[key], infos[f"_{key}"] = _column(values, rows, count, dtype), _column(True, rows, count)
    if any(owns):
        batch = _Batch(count)
        for row, own in zip(range(count)[rows] if isinstance(rows, slice) else rows, owns, strict=True):
            infos = batch._add_info(infos, own, row)
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


class _Batch(VectorEnv[Any, Any, Any]):
    """Lends its rules of batching infos, which are gymnasium's, whatever its version."""

    closed = True

    def __init__(self, count: int) -> None:
        self.num_envs = count


def _split(metadata: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take the environment's own info out of its metadata.

    Raises:
        ProtocolError: Its dtypes do not fit it.
    """
    if not metadata:
        return {}, {}
    own, dtypes = metadata.get(_OWN), metadata.get(_DTYPES, {})
    if not isinstance(own, dict):
        return metadata, {}
    rest = {key: value for key, value in metadata.items() if key not in (_OWN, _DTYPES)}
    if clashing := _FIXED & own.keys():
        rest[_OWN] = {key: own[key] for key in clashing}
    try:
        return rest, {key: _restored(own[key], dtypes.get(key)) for key in own if key not in _FIXED}
    except (AttributeError, TypeError, ValueError) as error:
        raise ProtocolError(f"the server's {_DTYPES} do not fit its {_OWN}: {error}") from None


def _restored(value: Any, dtype: Any) -> Any:
    """Give a part of an info the dtype that it had, and arrays memory of their own."""
    if isinstance(value, dict):
        return {key: _restored(part, (dtype or {}).get(key)) for key, part in value.items()}
    if dtype is None:
        return value.copy() if isinstance(value, np.ndarray) else value
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"{kind} is not accepted")
    return np.array(value, kind) if isinstance(value, list | np.ndarray) else kind.type(value)


def _texts(metadata: Sequence[Mapping[str, Any]]) -> list[str]:
    return json_codec.encode_each(metadata) if any(metadata) else [_NO_METADATA] * len(metadata)


def _column(values: Any, rows: Rows, count: int, dtype: type = np.bool_) -> NDArray[Any]:
    """Values in their rows; ``None`` or ``False`` in the others."""
    column = np.empty(count, dtype) if dtype is np.object_ else np.zeros(count, dtype)
    column[rows] = values
    return column
