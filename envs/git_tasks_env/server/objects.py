"""Git's objects as values: how commits and trees are written as bytes, and what bytes are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

FILE, EXECUTABLE, TREE = "100644", "100755", "40000"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_NAME_BYTES = 20
_MAX_DEPTH = 200


class MalformedObjectError(Exception):
    """An object is not what its kind says, or cannot be had."""


@dataclass(frozen=True)
class Signature:
    """Who did something, and when.

    Attributes:
        name: Of the person.
        email: Without the angle brackets.
        time: Seconds since 1970.
        zone: As git writes it, ``+0000``.
    """

    name: str
    email: str
    time: int
    zone: str = "+0000"

    def __str__(self) -> str:
        return f"{self.name} <{self.email}> {self.time} {self.zone}"


@dataclass(frozen=True)
class Commit:
    """A commit.

    Attributes:
        tree: Name of its tree.
        parents: Names of its parents.
        author: Who wrote it.
        committer: Who made it.
        message: Its whole message.
    """

    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]


@dataclass(frozen=True)
class Entry:
    """What a tree says about one name: a mode as git writes it, and an object."""

    mode: str
    name: str


class ObjectReader(Protocol):
    """Hands out objects by name."""

    def read(self, name: str) -> tuple[str, bytes]:
        """The kind and the content of an object.

        Raises:
            MalformedObjectError: It cannot be had.
        """


def object_name(kind: str, data: bytes) -> str:
    """What git calls an object."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


def encode_commit(commit: Commit) -> bytes:
    """A commit as git stores it."""
    parents = "".join(f"parent {parent}\n" for parent in commit.parents)
    head = f"tree {commit.tree}\n{parents}author {commit.author}\ncommitter {commit.committer}\n"
    return f"{head}\n{commit.message}".encode(errors="surrogateescape")


def decode_commit(data: bytes) -> Commit:
    """Read a commit.

    Raises:
        MalformedObjectError: It is none.
    """
    head, _, message = data.decode(errors="surrogateescape").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.split("\n"):
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    try:
        author, committer = (_decode_signature(fields[key][0]) for key in ("author", "committer"))
        return Commit(fields["tree"][0], tuple(fields.get("parent", ())), author, committer, message)
    except (KeyError, ValueError):
        raise MalformedObjectError("a commit without a tree, an author or a committer") from None


def _decode_signature(text: str) -> Signature:
    who, _, when = text.rpartition("> ")
    name, _, email = who.rpartition("<")
    time, _, zone = when.partition(" ")
    return Signature(name.strip(), email, int(time), zone)


def encode_tree(entries: Mapping[str, Entry]) -> bytes:
    """A tree as git stores it; names that are not UTF-8 are surrogate escaped."""
    lines = []
    for label, entry in entries.items():
        raw = label.encode(errors="surrogateescape")
        # Git sorts a directory as if its name ended with a slash.
        order = raw + b"/" if entry.mode == TREE else raw
        lines.append((order, b"%s %s\0" % (entry.mode.encode(), raw) + bytes.fromhex(entry.name)))
    return b"".join(line for _, line in sorted(lines))


def decode_tree(data: bytes) -> dict[str, Entry]:
    """Read a tree.

    Raises:
        MalformedObjectError: It is none.
    """
    entries = {}
    place = 0
    while place < len(data):
        end = data.find(b"\0", place)
        mode, space, label = data[place:end].partition(b" ")
        place = end + 1 + _NAME_BYTES
        if end < 0 or not space or place > len(data):
            raise MalformedObjectError("a tree that breaks off")
        text = label.decode(errors="surrogateescape")
        entries[text] = Entry(mode.decode(errors="replace"), data[end + 1 : place].hex())
    return entries


class ObjectStore:
    """Objects that are read elsewhere, and new ones on top that exist only here.

    Args:
        below: Where objects are read that are not new.
    """

    def __init__(self, below: ObjectReader) -> None:
        self._below = below
        self.new: dict[str, tuple[str, bytes]] = {}
        self._trees: dict[str, dict[str, Entry]] = {}

    def read(self, name: str) -> tuple[str, bytes]:
        """See `ObjectReader`."""
        return self.new.get(name) or self._below.read(name)

    def add(self, kind: str, data: bytes) -> str:
        """Make an object; returns its name."""
        name = object_name(kind, data)
        self.new[name] = (kind, data)
        return name

    def update_tree(self, tree: str, changes: Mapping[str, Entry | None]) -> str:
        """Make the tree that differs from another in the given paths; None removes one.

        Returns:
            Its name. Directories that become empty vanish.
        """
        here: dict[str, Entry | None] = {}
        below: dict[str, dict[str, Entry | None]] = {}
        for path, entry in changes.items():
            label, slash, rest = path.partition("/")
            if slash:
                below.setdefault(label, {})[rest] = entry
            else:
                here[label] = entry
        if tree not in self._trees:
            self._trees[tree] = read_tree(self, tree)
        entries = dict(self._trees[tree])
        for label, inner in below.items():
            old = entries.get(label)
            if old is not None and old.mode != TREE and not any(inner.values()):
                continue  # nothing is removed below a file
            subtree = self.update_tree(old.name if old and old.mode == TREE else EMPTY_TREE, inner)
            here[label] = None if subtree == EMPTY_TREE else Entry(TREE, subtree)
        for label, entry in here.items():
            if entry is None:
                entries.pop(label, None)
            else:
                entries[label] = entry
        return self.add("tree", encode_tree(entries))


def read_commit(objects: ObjectReader, name: str) -> Commit:
    """Read a commit by name.

    Raises:
        MalformedObjectError: There is none of that name.
    """
    return decode_commit(_read(objects, name, "commit"))


def read_tree(objects: ObjectReader, name: str) -> dict[str, Entry]:
    """Read a tree by name; the empty one need not exist.

    Raises:
        MalformedObjectError: There is none of that name.
    """
    return {} if name == EMPTY_TREE else decode_tree(_read(objects, name, "tree"))


def changed_paths(
    objects: ObjectReader, old: str, new: str, prefix: str = ""
) -> dict[str, tuple[Entry | None, Entry | None]]:
    """The files in which two trees differ, each with what the old and the new one say.

    Raises:
        MalformedObjectError: A tree cannot be read, or is nested far too deeply.
    """
    if old == new:
        return {}
    if prefix.count("/") > _MAX_DEPTH:
        raise MalformedObjectError(f"directories nested more than {_MAX_DEPTH} deep")
    before, after = read_tree(objects, old), read_tree(objects, new)
    changes: dict[str, tuple[Entry | None, Entry | None]] = {}
    for label in before.keys() | after.keys():
        pair = (before.get(label), after.get(label))
        if pair[0] == pair[1]:
            continue
        one, two = (entry.name if entry and entry.mode == TREE else EMPTY_TREE for entry in pair)
        changes.update(changed_paths(objects, one, two, f"{prefix}{label}/"))
        files = [entry if entry and entry.mode != TREE else None for entry in pair]
        if any(files):
            changes[prefix + label] = (files[0], files[1])
    return changes


def _read(objects: ObjectReader, name: str, kind: str) -> bytes:
    found, data = objects.read(name)
    if found != kind:
        raise MalformedObjectError(f"{name} is a {found}, not a {kind}")
    return data
