"""Finds processes by a mark in their environment variables, whoever's children they are."""

from __future__ import annotations

from pathlib import Path

VARIABLE = "OPENENV_GYM_CHECK"
"""The environment variable that bears the mark."""


def marked_processes(mark: str) -> list[str]:
    """Describe each living process that was started with the mark, as far as this user may look at it."""
    entry = f"{VARIABLE}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if entry in (folder / "environ").read_bytes().split(b"\0"):  # a zombie has none
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"process {folder.name}: {command.strip()}")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has just ended, or is another user's
    return found
