"""Which sandbox mechanisms can be tested with programs that lie in the installation."""

from __future__ import annotations

import os
from pathlib import Path


def mechanisms_that_show(*folders: Path) -> list[str]:
    """The mechanisms under which a sandbox's user can read the folders.

    Root's sandboxes run as another user. Landlock, without mounts of its own, shows the installation where it
    lies; in a folder that is root's alone nobody else can read it, and the sandbox says so.
    """
    shown = os.geteuid() != 0 or all(map(_is_for_everybody, folders))
    return ["bubblewrap", "landlock"] if shown else ["bubblewrap"]


def _is_for_everybody(folder: Path) -> bool:
    places = (folder, *folder.parents)
    return bool(folder.stat().st_mode & 0o004) and all(place.stat().st_mode & 0o001 for place in places)
