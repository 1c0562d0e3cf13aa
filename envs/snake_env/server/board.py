"""The game of Snake: a grid, a snake on it, a fruit."""

from __future__ import annotations

import random
from collections import deque
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int]  # row and column
Direction = tuple[int, int]  # rows down and columns right, one of them 0


class Content(IntEnum):
    """What is in a cell of the grid, as OpenEnv's environment numbers it."""

    EMPTY = 0
    WALL = 1
    FRUIT = 2
    HEAD = 3
    BODY = 4
    TAIL = 5


class Event(IntEnum):
    """What a move led to."""

    MOVED = auto()
    ATE = auto()
    WON = auto()  # ate, and nowhere is room for another fruit
    DIED = auto()


class Board:
    """A board with a straight snake on it, and a fruit.

    Args:
        shape: Rows and columns of the whole grid.
        height: Rows of the board in its upper left, walls included; the rest is wall.
        width: Columns of the board.
        length: Of the snake; it fits into a row or a column.
        rng: Places the snake and the fruits.

    Attributes:
        grid: Uint8, as `Content` says.
        head: Where the head is, or was when the snake died.
        direction: Where it goes.
    """

    def __init__(self, shape: tuple[int, int], height: int, width: int, length: int, rng: random.Random):
        self._rng = rng
        self.grid = np.full(shape, Content.WALL, np.uint8)
        self.grid[1 : height - 1, 1 : width - 1] = Content.EMPTY
        self._snake = deque(_straight_snake(height - 2, width - 2, length, rng))
        self.head = self._snake[0]
        neck = self._snake[1]
        self.direction: Direction = (self.head[0] - neck[0], self.head[1] - neck[1])
        for cell in self._snake:
            self.grid[cell] = Content.BODY
        self.grid[self._snake[-1]] = Content.TAIL
        self.grid[self.head] = Content.HEAD
        self._place_fruit()

    def move(self, direction: Direction) -> Event:
        """Move the snake by one cell; where it dies, it vanishes."""
        self.direction = direction
        target = self.head[0] + direction[0], self.head[1] + direction[1]
        content = self.grid[target]
        if content == Content.WALL or content == Content.BODY:
            for cell in self._snake:
                self.grid[cell] = Content.EMPTY
            return Event.DIED
        if content != Content.FRUIT:  # the tail makes room before the head comes
            self.grid[self._snake.pop()] = Content.EMPTY
        self.grid[self.head] = Content.BODY
        self._snake.appendleft(target)
        self.head = target
        self.grid[self._snake[-1]] = Content.TAIL
        self.grid[target] = Content.HEAD
        if content != Content.FRUIT:
            return Event.MOVED
        return Event.ATE if self._place_fruit() else Event.WON

    def _place_fruit(self) -> bool:
        """Put a fruit into an empty cell; false when there is none."""
        empty = np.flatnonzero(self.grid == Content.EMPTY)
        if not empty.size:
            return False
        self.grid.flat[empty[self._rng.randrange(empty.size)]] = Content.FRUIT
        return True


def _straight_snake(rows: int, columns: int, length: int, rng: random.Random) -> list[Cell]:
    """Lay a snake, head first, somewhere inside the walls of a board with so much room."""
    runs: list[tuple[int, int, Direction]] = []  # where it can start, and how it can run
    if length <= columns:
        runs.append((rows, columns - length + 1, (0, 1)))
    if length <= rows:
        runs.append((rows - length + 1, columns, (1, 0)))
    num_rows, num_columns, (down, right) = rng.choice(runs)
    row, column = 1 + rng.randrange(num_rows), 1 + rng.randrange(num_columns)
    cells = [(row + down * index, column + right * index) for index in range(length)]
    return cells if rng.random() < 0.5 else cells[::-1]


_CHANNELS = np.zeros((len(Content), 8), np.uint8)  # of each content
for _content, _channel in (
    (Content.WALL, 0),
    (Content.FRUIT, 1),
    (Content.HEAD, 5),  # 2 to 4 are those of other snakes
    (Content.BODY, 6),
    (Content.TAIL, 7),
):
    _CHANNELS[_content, _channel] = 1


def encode(board: Board, vision_range: int | None) -> NDArray[np.uint8]:
    """Show a board in 8 channels of 0 and 1.

    Args:
        board: To be shown.
        vision_range: How many cells around the head to show, where the grid ends zeros; ``None`` shows all.

    Returns:
        An array of shape (rows, columns, 8).
    """
    if vision_range is None:
        return _CHANNELS[board.grid]
    side = 2 * vision_range + 1
    view = np.zeros((side, side, _CHANNELS.shape[1]), np.uint8)
    top, left = board.head[0] - vision_range, board.head[1] - vision_range
    part = board.grid[max(top, 0) : top + side, max(left, 0) : left + side]
    row, column = max(-top, 0), max(-left, 0)
    view[row : row + part.shape[0], column : column + part.shape[1]] = _CHANNELS[part]
    return view
