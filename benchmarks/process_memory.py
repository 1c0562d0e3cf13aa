"""How much memory processes take, as Linux tells it: shared pages are divided among those who share them."""

from __future__ import annotations

from pathlib import Path


def memory_of(pid: int) -> int:
    """Return a process's proportional set size in bytes; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = (line.split() for line in lines if line.startswith("Pss:"))
    return 1024 * next((int(size) for _, size, _ in sizes), 0)


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and that these have."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found[1:]
