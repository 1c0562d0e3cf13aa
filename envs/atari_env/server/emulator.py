"""The emulator with one game in it: loaded once, started over and over."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from ale_py import Action, ALEInterface, ALEState, LoggerMode, roms
from numpy.typing import NDArray

from atari_env.models import ObservationType
from openenv_gym.errors import InvalidActionError

# Games for two only. The emulator ends the whole process when it is to load one.
_REFUSED = frozenset({"combat", "joust", "maze_craze", "warlords"})
_MAX_IDLE = 64  # loaded emulators kept for the next session, about 2 MiB each

Screen = NDArray[np.uint8]


class Cartridge(NamedTuple):
    """What is loaded: loading takes a tenth of a second, starting over a tenth of a millisecond.

    Attributes:
        game: In snake case.
        mode: The game's variant; ``None`` is its first.
        difficulty: Position of the difficulty switch; ``None`` is its first.
    """

    game: str
    mode: int | None = None
    difficulty: int | None = None


class Emulator:
    """An Atari 2600 with a game in it.

    Args:
        cartridge: The game.

    Raises:
        InvalidActionError: There is no such game, mode or difficulty.
    """

    def __init__(self, cartridge: Cartridge) -> None:
        self.cartridge = cartridge
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._ale = ALEInterface()
        # Repeated actions are drawn by the environment: here they would need the ROM to be loaded for a seed.
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.loadROM(_rom(cartridge.game))
        self._set("mode", cartridge.mode, self._ale.getAvailableModes(), self._ale.setMode)
        self._set(
            "difficulty", cartridge.difficulty, self._ale.getAvailableDifficulties(), self._ale.setDifficulty
        )
        self._ale.reset_game()
        self._start = self._ale.cloneState()
        # Drawn at the last frame, and so no part of a state.
        self._start_screens = {"rgb": self._ale.getScreenRGB(), "grayscale": self._ale.getScreenGrayscale()}
        self._is_at_start = True

    def actions(self, *, full: bool) -> list[Action]:
        """List the actions that the game uses, or all 18, in the order of their ids."""
        return list(self._ale.getLegalActionSet() if full else self._ale.getMinimalActionSet())

    def screen_shape(self, kind: ObservationType) -> tuple[int, ...]:
        """Tell the shape of what `screen` returns."""
        rows, columns = self._ale.getScreenDims()
        return {"rgb": (rows, columns, 3), "grayscale": (rows, columns), "ram": (self._ale.getRAMSize(),)}[
            kind
        ]

    @property
    def lives(self) -> int:
        """Lives left; 0 where the game knows none."""
        return int(self._ale.lives())

    @property
    def frame(self) -> int:
        """Frames since the start."""
        return int(self._ale.getEpisodeFrameNumber())

    @property
    def is_over(self) -> bool:
        """Whether the game has ended."""
        return bool(self._ale.game_over())

    def start(self) -> None:
        """Start the game; always the same way."""
        self._ale.restoreState(self._start)
        self._is_at_start = True

    def act(self, action: Action) -> float:
        """Hold the joystick for one frame; returns the reward."""
        self._is_at_start = False
        return float(self._ale.act(action))

    def screen(self, kind: ObservationType) -> Screen:
        """Look at the screen, or into the memory; not after `restore`, before the next frame."""
        if kind == "ram":
            return np.array(self._ale.getRAM())
        if self._is_at_start:
            return self._start_screens[kind].copy()
        return self._ale.getScreenRGB() if kind == "rgb" else self._ale.getScreenGrayscale()

    def snapshot(self) -> ALEState:
        """Copy the whole state."""
        return self._ale.cloneState()

    def restore(self, state: ALEState) -> None:
        """Take on a state of any emulator with the same cartridge."""
        self._ale.restoreState(state)
        self._is_at_start = False

    def _set(self, what: str, value: int | None, available: list[int], setter: Any) -> None:
        if value is None:
            return
        if value not in available:
            raise InvalidActionError(f"{self.cartridge.game} has no {what} {value}; it has {available}")
        setter(value)


def game_names() -> list[str]:
    """List the games."""
    return sorted(set(roms.get_all_rom_ids()) - _REFUSED)


def _rom(game: str) -> str:
    if game not in game_names():
        raise InvalidActionError(f"there is no game {game!r}; there are {', '.join(game_names())}")
    return str(roms.get_rom_path(game))


class EmulatorShelf:
    """Emulators that sessions have given back, loaded for the next. Threads may share it."""

    def __init__(self) -> None:
        self._idle: list[Emulator] = []
        self._lock = threading.Lock()

    def take(self, cartridge: Cartridge) -> Emulator:
        """Take an emulator with this cartridge; loads one if there is none.

        Raises:
            InvalidActionError: There is no such game, mode or difficulty.
        """
        with self._lock:
            for index, emulator in enumerate(self._idle):
                if emulator.cartridge == cartridge:
                    return self._idle.pop(index)
        return Emulator(cartridge)

    def give_back(self, emulator: Emulator) -> None:
        """Keep an emulator that nobody uses any more; the one that lay longest makes room."""
        with self._lock:
            self._idle.append(emulator)
            del self._idle[:-_MAX_IDLE]


shelf = EmulatorShelf()
