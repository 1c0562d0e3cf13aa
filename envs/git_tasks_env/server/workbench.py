"""Workbench: where a task's history is made, commit by commit, in memory.

A `Draft` is a state of all files. Its tree is a function of it, so a generator states what a merge or a
revert leads to as the draft that has, or lacks, the changes in question.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType

from git_tasks_env.server.objects import (
    FILE,
    Commit,
    Entry,
    ObjectStore,
    Signature,
    encode_commit,
)
from git_tasks_env.server.repository_view import Base, RepositoryView
from git_tasks_env.server.sheet import MIN_SLOTS, Sheet, generated_sheet, new_line, words

# A slot of a sheet: the sheet's number, the line's.
Place = tuple[int, int]

_SHEETS = 6
_NOISY_SHEETS = 2
_EARLIEST = 1_735_689_600  # 2025-01-01 00:00 UTC, where a repository has no commits
_PEOPLE = (
    ("Ada Byron", "ada@example.com"),
    ("Grace Murray", "grace@example.com"),
    ("Linus Berg", "linus@example.com"),
    ("Zoë Åkesson", "zoe@example.org"),
    ("Kenji 田中", "kenji@example.org"),
)
_VERBS = ("Adjust", "Clarify", "Extend", "Polish", "Rework", "Simplify", "Tune", "Update")
_TRUNKS = ("main", "trunk", "mainline", "stem")


@dataclass(frozen=True)
class Draft:
    """A state of the files.

    Attributes:
        lines: Slots that differ from the beginning.
        paths: Where sheets are that were moved; None for those removed.
        files: Other files, by path.
    """

    lines: Mapping[Place, str] = field(default_factory=lambda: MappingProxyType({}))
    paths: Mapping[int, str | None] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def with_lines(self, lines: Mapping[Place, str]) -> Draft:
        """The same with more slots changed."""
        return replace(self, lines={**self.lines, **lines})

    def without_lines(self, places: Sequence[Place]) -> Draft:
        """The same with some slots as they were at the beginning."""
        kept = {place: line for place, line in self.lines.items() if place not in places}
        return replace(self, lines=kept)

    def with_path(self, sheet: int, path: str | None) -> Draft:
        """The same with a sheet moved, or removed."""
        return replace(self, paths={**self.paths, sheet: path})

    def with_file(self, path: str, text: str) -> Draft:
        """The same with another file."""
        return replace(self, files={**self.files, path: text})


class Workbench:
    """Makes one task's commits on top of a repository.

    Args:
        view: The repository.
        rng: Decides everything.

    Attributes:
        rng: As given.
        base: The commit of the repository that all is built on.
        view: As given.
        objects: The repository's and the new objects.
        sheets: Files to edit.
        start: The first commit to build on: the base, or one that adds files which it lacks.
        time: When the newest commit was made.
    """

    def __init__(self, view: RepositoryView, rng: random.Random) -> None:
        self.rng = rng
        self.view = view
        self.base: Base = view.choose_base(rng)
        self.objects = ObjectStore(view.objects)
        self.time = max(self.base.time, 0) or _EARLIEST
        self._subjects: set[str] = set()
        self._blobs: dict[tuple[int, frozenset[tuple[int, str]]], str] = {}
        self._names = {*self.base.paths, *view.mirror.tags}
        few = list(self.base.sheets)
        rng.shuffle(few)
        self.sheets: list[Sheet] = few[:_SHEETS]
        self._tree = self.base.tree
        missing = _SHEETS - len(self.sheets)
        self._add_sheets(missing)
        self._places, self._noisy = self._divide()
        parents = [self.base.commit] if self.base.commit else []
        if missing or not parents:
            self.start = self._commit_tree(self._tree, parents, "Add notes", self.person())
        else:
            self.start = parents[0]

    # --- names

    def trunk(self) -> str:
        """The name of the main branch: the repository's own where it serves."""
        own = self.view.mirror.repository.default_branch
        return self._free_name((own, *_TRUNKS) if own.isidentifier() else _TRUNKS)

    def branch(self) -> str:
        """A new branch's name."""
        return self._free_name(tuple(f"{words(self.rng, 1)}-{words(self.rng, 1)}" for _ in range(20)))

    def free_name(self, wanted: str) -> str:
        """``wanted``, or something like it that is no path, tag or branch yet."""
        return self._free_name((wanted, *(f"{wanted}-{number}" for number in range(2, 100))))

    def moved_path(self, sheet: int) -> str:
        """Another path for a sheet, in its own directory."""
        old = PurePosixPath(self.sheets[sheet].path)
        for _ in range(100):
            new = str(old.with_name(f"{words(self.rng, 1)}-{old.name}"))
            if new not in self._names:
                self._names.add(new)
                return new
        raise AssertionError("a hundred names in a row were taken")

    def subject(self, about: str = "") -> str:
        """A new commit's subject, unlike all others of the task."""
        while True:
            subject = f"{self.rng.choice(_VERBS)} the {about or words(self.rng, 2)}"
            subject += f" of the {words(self.rng, 1)}"
            if subject not in self._subjects:
                self._subjects.add(subject)
                return subject

    def person(self) -> Signature:
        """Somebody who commits now."""
        name, email = self.rng.choice(_PEOPLE)
        return Signature(name, email, self.time)

    # --- places

    def take(self, *, sheet: int | None = None, besides: Sequence[int] = ()) -> Place:
        """A slot that nothing else will change.

        Args:
            sheet: In this file; None for any.
            besides: Files that it may not be in.
        """
        for place in self._places:
            if (sheet is None or place[0] == sheet) and place[0] not in besides:
                self._places.remove(place)
                return place
        raise AssertionError(f"the files have no slots left ({sheet=}, {besides=})")

    def line(self, place: Place) -> str:
        """A new line for a slot."""
        return new_line(self.sheets[place[0]], place[1], self.rng)

    def change(self, place: Place) -> dict[Place, str]:
        """A change of one slot, to be merged into a draft."""
        return {place: self.line(place)}

    def noise(self, draft: Draft) -> Draft:
        """A draft with one more change that has no meaning, where no change has any."""
        return draft.with_lines(self.change(self.rng.choice(self._noisy)))

    # --- files

    def path(self, draft: Draft, sheet: int) -> str:
        """Where a sheet is."""
        path = draft.paths.get(sheet, self.sheets[sheet].path)
        assert path is not None
        return path

    def text(self, draft: Draft, sheet: int) -> str:
        """What a sheet holds."""
        changes = {slot: line for (number, slot), line in draft.lines.items() if number == sheet}
        return self.sheets[sheet].text(changes)

    def tree(self, draft: Draft) -> str:
        """The tree of a draft."""
        changes: dict[str, Entry | None] = {}
        for number in sorted({number for number, _ in draft.lines} | draft.paths.keys()):
            sheet = self.sheets[number]
            path = draft.paths.get(number, sheet.path)
            if path != sheet.path:
                changes[sheet.path] = None
            if path is not None:
                changes[path] = Entry(sheet.mode, self._sheet_blob(draft, number))
        for path, text in draft.files.items():
            changes[path] = Entry(FILE, self._blob(text))
        return self.objects.update_tree(self._tree, changes)

    # --- commits

    def commit(
        self,
        draft: Draft,
        *parents: str,
        subject: str | None = None,
        author: Signature | None = None,
    ) -> str:
        """Make a commit, an hour or so after the one before; returns its name."""
        self.time += self.rng.randrange(1800, 5400)
        who = replace(author or self.person(), time=self.time)
        return self._commit_tree(self.tree(draft), parents, subject or self.subject(), who)

    def _commit_tree(self, tree: str, parents: Sequence[str], subject: str, who: Signature) -> str:
        commit = Commit(tree, tuple(parents), who, who, f"{subject}\n")
        return self.objects.add("commit", encode_commit(commit))

    def _sheet_blob(self, draft: Draft, number: int) -> str:
        key = (number, frozenset((slot, line) for (of, slot), line in draft.lines.items() if of == number))
        if key not in self._blobs:
            self._blobs[key] = self._blob(self.text(draft, number))
        return self._blobs[key]

    def _blob(self, text: str) -> str:
        return self.objects.add("blob", text.encode())

    def _divide(self) -> tuple[list[Place], list[Place]]:
        """Slots to be taken, and slots for noise: two files, and what is left of the others."""
        taken: list[Place] = []
        noisy: list[Place] = []
        for number, sheet in enumerate(self.sheets):
            places = [(number, slot) for slot in sheet.slots]
            self.rng.shuffle(places)
            few = 0 if number < _NOISY_SHEETS else MIN_SLOTS
            taken += places[:few]
            noisy += places[few:]
        self.rng.shuffle(taken)
        return taken, noisy

    def _add_sheets(self, count: int) -> None:
        """Put files on top of a repository that has too few."""
        if count:
            folder = self.free_name("notes")
            made = [generated_sheet(f"{folder}/{word}.md", self.rng) for word in _distinct(self.rng, count)]
            entries: dict[str, Entry | None] = {s.path: Entry(s.mode, self._blob(s.text({}))) for s in made}
            self._tree = self.objects.update_tree(self._tree, entries)
            self.sheets += made

    def _free_name(self, wanted: Sequence[str]) -> str:
        name = next(name for name in wanted if name not in self._names)
        self._names.add(name)
        return name


def _distinct(rng: random.Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[words(rng, 1)] = None
    return list(found)
