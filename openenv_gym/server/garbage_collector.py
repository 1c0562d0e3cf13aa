"""Tells Python's garbage collector how a server lives: long, and with thousands of objects a batch of calls.

By default the collector looks at every object of the process for each 70,000 that are new. With 8,192
sessions in one step that is half of the server's time, in pauses of 0.3 s (benchmarks/sleepers.py), and finds
nothing: what calls leave behind is freed without it. What it is needed for are environments that refer to
themselves, when their sessions have closed; so it looks then.
"""

from __future__ import annotations

import gc

# New objects until the youngest are looked at, and how often that until the next older generation is. Young
# cycles, which large observations may hang on, are found nearly as soon as by Python's (700, 10, 10).
_THRESHOLDS = (2000, 10, 50)
_CLOSED_AT_LEAST = 32  # sessions, however few are open

_PYTHONS_OWN = gc.get_threshold()  # as it is before an app is loaded


class GarbageCollector:
    """Python's, of which a process has one."""

    def __init__(self) -> None:
        self._spares_old_objects = False
        self._closed_sessions = 0

    def spare_what_lives_long(self) -> None:
        """Leave what is loaded by now out of every collection, and look at old objects less often.

        Thresholds that an app has set stand.
        """
        gc.collect()
        gc.freeze()
        if gc.get_threshold() == _PYTHONS_OWN:
            gc.set_threshold(*_THRESHOLDS)
            self._spares_old_objects = True

    def session_closed(self, still_open: int) -> None:
        """Look at everything once as many sessions have closed as are open: then it costs each little."""
        self._closed_sessions += 1
        if self._spares_old_objects and self._closed_sessions >= max(_CLOSED_AT_LEAST, still_open):
            self._closed_sessions = 0
            gc.collect()


garbage_collector = GarbageCollector()
