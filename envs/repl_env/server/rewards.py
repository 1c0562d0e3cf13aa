"""The reward: the outcome at the end, and a small price for cells that fail; OpenEnv's numbers."""

from __future__ import annotations

FAILED_CELL = -0.05
NO_ANSWER = -0.1


def outcome(answer: str | None, expected: str | None) -> float:
    """The reward of an episode's end.

    Args:
        answer: The final answer; None if the cells ran out before there was one.
        expected: What it should be, letter case and surrounding white space aside; None: nobody said.
    """
    if answer is None:
        return NO_ANSWER
    return float(expected is not None and answer.strip().lower() == expected.strip().lower())


def cell(success: bool) -> float:
    """The reward of a cell that does not end the episode."""
    return 0.0 if success else FAILED_CELL
