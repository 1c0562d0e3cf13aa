"""A Gymnasium info as an observation's metadata, so that a client can make the same info of it again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from openenv_gym.server.plain import plain

logger = logging.getLogger(__name__)

_ATOMS = frozenset({str, int, float, bool, type(None)})
_reported: set[str] = set()


def info_metadata(info: Mapping[str, Any]) -> dict[str, Any]:
    """Lay an info out as metadata.

    Entries that cannot be sent (objects of a library's own) are left out, and said once each in the log.

    Args:
        info: What ``reset`` or ``step`` returned.

    Returns:
        ``gymnasium_info`` with its entries; in the same shape, ``gymnasium_dtypes`` with the dtypes of its
        arrays and numpy scalars; nothing where there are none.
    """
    entries, dtypes = _lay_out(info)
    metadata: dict[str, Any] = {}
    if entries:
        metadata["gymnasium_info"] = entries
    if dtypes:
        metadata["gymnasium_dtypes"] = dtypes
    return metadata


def _lay_out(info: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    entries: dict[str, Any] = {}
    dtypes: dict[str, Any] = {}
    for key, value in info.items():
        if type(value) in _ATOMS:
            entries[key] = value
        elif isinstance(value, dict):
            entries[key], inner = _lay_out(value)
            if inner:
                dtypes[key] = inner
        else:
            try:
                entries[key] = plain(value)
            except TypeError as error:
                _report(key, error)
                continue
            if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
                dtypes[key] = value.dtype.str
    return entries, dtypes


def _report(key: str, error: TypeError) -> None:
    if key not in _reported:
        _reported.add(key)
        logger.warning("info[%r] stays here: %s", key, error)
