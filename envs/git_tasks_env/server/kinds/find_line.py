"""Find the commit that introduced a line.

Where the repository has a history of its own, the line is one of its own, and the commit is the one that
``git blame`` names. A hard task's line is gone again, in a history made for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import Unmoved
from git_tasks_env.server.kinds.actions import SUBMIT, Answer, git
from git_tasks_env.server.objects import read_commit
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Workbench

# Blame looks no further back, so that it is quick in repositories of any age.
_MAX_AGE = 200
_LEAST_LINE = 12
_COMMITS = {"easy": 6, "medium": 14, "hard": 28}


@dataclass(frozen=True)
class _Line:
    """A line and its origin.

    Attributes:
        sheet: The file's number.
        text: The line.
        commit: What introduced it.
        draft: The files at the tip.
        tip: The newest commit.
    """

    sheet: int
    text: str
    commit: str
    draft: Draft
    tip: str


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task."""
    answer = Answer(bench)
    own = None if difficulty == "hard" else _own_line(bench)
    line = own or _planted_line(bench, difficulty)
    if difficulty == "medium":
        moved = line.draft.with_path(line.sheet, bench.moved_path(line.sheet))
        line = _Line(line.sheet, line.text, line.commit, moved, bench.commit(moved, line.tip))
    path = bench.path(line.draft, line.sheet)
    if difficulty == "hard":
        text = "Some file of this repository once held, and holds no more, the line"
        solution = git("log", "--oneline", f"-S{line.text.strip()}")
    else:
        text = f"The file `{path}` holds the line"
        solution = git("blame", "-s", "--", path)
    trunk = f"refs/heads/{bench.trunk()}"
    refs = {trunk: line.tip}
    nearly = dict.fromkeys(read_commit(bench.objects, line.commit).parents, 0.3)
    return Task(
        base=bench.base.start,
        instruction=(
            f"{text}\n\n    {line.text.strip()}\n\nFind the commit that introduced it, whatever the file was "
            f"called then. {answer.request} Change nothing else."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(answer.goal(line.commit, nearly),),
        guards=(Unmoved(refs),),
        solution=(solution, git("tag", answer.name, line.commit), SUBMIT),
    )


def _own_line(bench: Workbench) -> _Line | None:
    """A line of one of the repository's own commits."""
    for number, sheet in enumerate(bench.sheets):
        if sheet not in bench.base.sheets:
            continue
        blamed = {
            line: commit
            for line, commit in _blame(bench, sheet.path).items()
            if sheet.lines.count(sheet.lines[line]) == 1
            and len(sheet.lines[line].strip()) >= _LEAST_LINE
            and sheet.lines[line].isprintable()
        }
        if blamed:
            line = bench.rng.choice(sorted(blamed))
            return _Line(number, sheet.lines[line], blamed[line], Draft(), bench.start)
    return None


def _blame(bench: Workbench, path: str) -> dict[int, str]:
    """The commits that lines of a file at the base come from, by the line's number from 0.

    Lines that are older than we look, or as old as the repository, are left out.
    """
    base = bench.base
    assert base.commit is not None
    oldest = bench.view.ancestor(base.commit, _MAX_AGE)
    found: dict[int, str] = {}
    old: set[str] = set()
    commit = ""
    revisions = f"{oldest}..{base.commit}" if oldest else base.commit
    listing = bench.view.git.run(
        ["blame", "--porcelain", revisions, "--", path], git_dir=bench.view.mirror.path
    )
    for line in listing.split("\n"):
        if line.startswith("\t"):
            continue
        word, _, rest = line.partition(" ")
        if word == "boundary":
            old.add(commit)
        elif len(word) == 40:
            commit = word
            found[int(rest.split()[1]) - 1] = word
    return {number: name for number, name in found.items() if name not in old}


def _planted_line(bench: Workbench, difficulty: Difficulty) -> _Line:
    """A line in a history made for it."""
    place = bench.take()
    count = _COMMITS[difficulty]
    planted = bench.rng.randrange(count // 4, count // 2)
    removed = bench.rng.randrange(count // 2 + 1, count) if difficulty == "hard" else count
    text, draft, tip, commit = bench.line(place), Draft(), bench.start, ""
    for number in range(count):
        draft = bench.noise(draft)
        if number == planted:
            draft = draft.with_lines({place: text})
        elif number == removed:
            draft = draft.without_lines([place])
        tip = bench.commit(draft, tip)
        commit = tip if number == planted else commit
    return _Line(place[0], text, commit, draft, tip)
