"""Split one commit into several, each with a part of its changes; what came after it stays on top."""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty, GitTaskAction
from git_tasks_env.server.grading.goals import Chain, Clean, Unmoved, has_author, has_subject
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, step_like, write
from git_tasks_env.server.objects import read_commit
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Place, Workbench

_LATER = {"easy": 0, "medium": 1, "hard": 2}


@dataclass(frozen=True)
class _Part:
    """A part of the commit: one line's change, and the subject of the commit that it is to have."""

    place: Place
    line: str
    subject: str


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task; in a hard one two parts are changes of the same file."""
    base_draft = bench.noise(Draft())
    parent = bench.commit(base_draft, bench.start)
    parts = _parts(bench, difficulty)
    drafts = [base_draft]
    for part in parts:
        drafts.append(drafts[-1].with_lines({part.place: part.line}))
    whole = bench.commit(drafts[-1], parent, subject="Several things at once")
    tip, draft, later = whole, drafts[-1], []
    for _ in range(_LATER[difficulty]):
        draft = draft.with_lines(bench.change(bench.take()))
        tip = bench.commit(draft, tip)
        later.append(tip)
    who = read_commit(bench.objects, whole).author
    steps = (
        *(
            step_like(bench, whole, bench.tree(d), part.subject)
            for d, part in zip(drafts[1:], parts, strict=True)
        ),
        *(step_like(bench, commit) for commit in later),
    )
    trunk, side = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    refs = {trunk: tip, side: parent}
    return Task(
        base=bench.base.start,
        instruction=_instruction(bench, short(trunk), whole, parts, bool(later)),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Chain("changes", 0.6, trunk, parent, steps),
            Chain("messages", 0.2, trunk, parent, steps, has_subject),
            Chain("authors", 0.2, trunk, parent, steps, has_author),
        ),
        guards=(Unmoved({side: parent}), Clean()),
        solution=(
            git("checkout", "--detach", parent),
            *(
                action
                for part, files in zip(parts, drafts[1:], strict=True)
                for action in _commit_part(bench, part, files, f"{who.name} <{who.email}>")
            ),
            *(git("cherry-pick", commit) for commit in later),
            git("branch", "-f", short(trunk), "HEAD"),
            git("checkout", short(trunk)),
            SUBMIT,
        ),
    )


def _parts(bench: Workbench, difficulty: Difficulty) -> list[_Part]:
    first = bench.take()
    second = bench.take(sheet=first[0]) if difficulty == "hard" else bench.take(besides=[first[0]])
    places = [first, second]
    if difficulty != "easy":
        places.append(bench.take(besides=[first[0], second[0]]))
    return [_Part(place, bench.line(place), bench.subject()) for place in places]


def _instruction(bench: Workbench, trunk: str, whole: str, parts: list[_Part], has_later: bool) -> str:
    listed = "".join(
        f'{number}. "{part.subject}": in `{bench.sheets[part.place[0]].path}`, the line that became '
        f"`{part.line.strip()}`\n"
        for number, part in enumerate(parts, start=1)
    )
    after = " What comes after it on the branch stays on top, commit by commit." if has_later else ""
    return (
        f"The commit {whole[:12]} of the branch `{trunk}` changes several things at once. Replace it by "
        f"these commits, in this order:\n\n{listed}\nEach has its subject and the author of the one it "
        f"replaces.{after} In the end the files are as they are now."
    )


def _commit_part(bench: Workbench, part: _Part, files: Draft, author: str) -> list[GitTaskAction]:
    sheet = part.place[0]
    path = bench.sheets[sheet].path
    return [
        write(path, bench.text(files, sheet)),
        git("add", "--", path),
        git("commit", "-m", part.subject, f"--author={author}"),
    ]
