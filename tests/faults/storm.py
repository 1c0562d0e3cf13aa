"""Many users at once, each from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.faults.players import Player
from tests.faults.transcript import Transcript

PATIENCE = 90.0  # seconds; only what is broken takes them


@contextmanager
def playing(
    player: Player, base_url: str, groups: Sequence[list[Transcript]], seed: int
) -> Iterator[threading.Event]:
    """Let each group of sessions be played until the block ends; raises what a player raised.

    Gives an event that is set as soon as one has failed.
    """
    stop, failed = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def play(group: list[Transcript], number: int) -> None:
        try:
            player(base_url, group, seed + 1000 * number, stop.is_set)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)
            failed.set()

    threads = [
        threading.Thread(target=play, args=(group, number), name=f"player-{number}", daemon=True)
        for number, group in enumerate(groups)
    ]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    hung = [thread.name for thread in threads if thread.is_alive()]
    if errors:
        raise errors[0]
    assert not hung, f"{hung} never came to an end"
