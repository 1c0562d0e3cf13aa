"""The two ways to steer: an action and the snake's direction make its next direction."""

from __future__ import annotations

from snake_env.server.board import Direction

_GLOBAL: dict[int, Direction] = {1: (0, -1), 2: (0, 1), 3: (1, 0), 4: (-1, 0)}


def relative(direction: Direction, action: int) -> Direction:
    """Steer as the snake sees it: 0 straight on, 1 turn left, 2 turn right."""
    down, right = direction
    return {0: direction, 1: (-right, down), 2: (right, -down)}[action]


def absolute(direction: Direction, action: int) -> Direction:
    """Steer as a player sees it: 0 straight on, 1 left, 2 right, 3 down, 4 up; no way leads straight back."""
    down, right = _GLOBAL.get(action, direction)
    return direction if (down, right) == (-direction[0], -direction[1]) else (down, right)
