"""What BrowserGym reports besides a page: what belongs to the episode, and what only the clock says."""

from __future__ import annotations

from typing import Any

_CLOCK_SUFFIXES = ("_start", "_stop")


def split_report(observed: dict[str, Any], info: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort BrowserGym's own observation and info into plain values that equal episodes share, and others.

    Args:
        observed: The observation, without the page's DOM, accessibility tree and picture.
        info: The info that came with it.

    Returns:
        The observation's metadata, and readings of the clock: seconds since the epoch, ``elapsed_time`` in
        seconds, and MiniWoB's reward that shrinks with time, ``REWARD_GLOBAL``.
    """
    observed, info = _plain(observed), _plain(info)
    clock = {name: info.pop(name) for name in list(info) if name.endswith(_CLOCK_SUFFIXES)}
    clock["elapsed_time"] = observed.pop("elapsed_time")[0]
    clock["chat_timestamps"] = [message.pop("timestamp") for message in observed["chat_messages"]]
    if "REWARD_GLOBAL" in info["task_info"]:
        clock["REWARD_GLOBAL"] = info["task_info"].pop("REWARD_GLOBAL")
    return {"browsergym_obs": observed, "browsergym_info": info}, clock


def _plain(value: Any) -> Any:
    """A copy with nothing in it but JSON's types: BrowserGym has tuples, and arrays of one number."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
