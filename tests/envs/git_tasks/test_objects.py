"""Objects made here are git's own: its program reads the packs, and agrees on every name."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from git_tasks_env.server.objects import (
    EMPTY_TREE,
    Entry,
    MalformedObjectError,
    ObjectStore,
    Signature,
    changed_paths,
    decode_commit,
    decode_tree,
    encode_tree,
    object_name,
    read_commit,
)
from git_tasks_env.server.pack import encode_pack
from git_tasks_env.server.sheet import make_sheet
from git_tasks_env.server.task_catalog import KINDS, spec_at
from git_tasks_env.server.task_source import TaskSource
from tests.envs.git.checkouts import git


class _Nothing:
    def read(self, name: str) -> tuple[str, bytes]:
        raise MalformedObjectError(name)


def test_git_accepts_every_task_s_objects(source: TaskSource, tmp_path: Path) -> None:
    """Strictly, with all that they refer to; of the repository itself nothing is needed where it is empty."""
    for index in range(len(KINDS)):
        task = source.task(source.resolve(spec_at("validation", index, "empty")))
        pack, made = task.pack
        directory = tmp_path / str(index)
        git("init", "--quiet", "--bare", directory)
        file = directory / "objects" / "pack" / f"pack-{pack[-20:].hex()}.pack"
        file.write_bytes(pack)
        git("index-pack", "--strict", file, "-o", directory / "made.idx", cwd=directory)
        assert (directory / "made.idx").read_bytes() == made
        file.with_suffix(".idx").write_bytes(made)
        for ref, commit in task.refs.items():
            git("update-ref", ref, commit, cwd=directory)
        git("fsck", "--strict", "--full", cwd=directory)


def test_git_agrees_on_trees(tmp_path: Path) -> None:
    """A tree that is changed again and again is what git's index makes of the same files."""
    git("init", "--quiet", tmp_path)
    rng = random.Random(5)
    store, tree = ObjectStore(_Nothing()), EMPTY_TREE
    for _ in range(60):
        path = rng.choice(["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "Ä", "x/y/z/w", "x/y", "x"])
        if rng.random() < 0.3:
            tree = store.update_tree(tree, {path: None})
            git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", path, cwd=tmp_path)
        else:
            entry = Entry(rng.choice(["100644", "100755"]), f"{rng.getrandbits(160):040x}")
            tree = store.update_tree(tree, {path: entry})
            # Git removes a file where a directory comes, and the other way round.
            info = f"{entry.mode},{entry.name},{path}"
            git("update-index", "--add", "--replace", "--cacheinfo", info, cwd=tmp_path)
        assert git("write-tree", "--missing-ok", cwd=tmp_path) == tree


def test_changed_paths_are_those_of_git_diff(source: TaskSource) -> None:
    source.start()
    view = source._view("gitea/ordinary")
    commits = list(view._commits)[:6]
    for new, old in pairwise(commits):
        trees = [read_commit(view.objects, name).tree for name in (old, new)]
        told = view.git.run(["diff", "--name-only", "--no-renames", old, new], git_dir=view.mirror.path)
        assert set(changed_paths(view.objects, *trees)) == set(told.split())


@pytest.mark.parametrize("data", [b"100644 a", b"100644 a\0" + b"x" * 19, b"\0", b"100644a\0" + b"x" * 20])
def test_a_tree_that_breaks_off_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedObjectError):
        decode_tree(data)


@pytest.mark.parametrize(
    "data", [b"", b"tree 1\n\nx", b"tree 1\nauthor a <b> x +0000\ncommitter a <b> 1 +0000\n\n", b"\xff" * 40]
)
def test_a_commit_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedObjectError):
        decode_commit(data)


def test_names_that_are_no_utf_8_come_back() -> None:
    raw = b"100644 \xff\xfe\0" + bytes(range(20))
    assert encode_tree(decode_tree(raw)) == raw
    assert str(Signature("A B", "a@b", 5)) == "A B <a@b> 5 +0000"


def test_packs_hold_objects_of_all_sizes(tmp_path: Path) -> None:
    rng = random.Random(3)
    blobs = [rng.randbytes(size) for size in (0, 1, 15, 16, 2047, 2048, 300_000)]
    pack, index = encode_pack({object_name("blob", data): ("blob", data) for data in blobs})
    git("init", "--quiet", "--bare", tmp_path)
    file = tmp_path / "objects" / "pack" / "pack-1.pack"
    file.write_bytes(pack)
    file.with_suffix(".idx").write_bytes(index)
    listed = git("verify-pack", "-v", file, cwd=tmp_path)
    assert all(f"{object_name('blob', data)} blob" in listed for data in blobs)


@pytest.mark.parametrize(
    "data",
    [b"one\n" * 80, b"\xff" * 400, b"a\0b\n" * 80, b"a\r\nb\r\n" * 40, b"no end", b"short\n"],
    ids=["repeated", "binary", "null", "carriage returns", "no end", "short"],
)
def test_what_cannot_be_edited_in_slots_is_left_alone(data: bytes) -> None:
    assert make_sheet("file", "100644", data) is None
