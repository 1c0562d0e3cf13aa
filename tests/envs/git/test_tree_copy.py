"""Copying what agents wrote: everything is data, nothing is followed, the size is bounded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from git_env.server.policy.refusal import Refusal
from git_env.server.tree_copy import TreeCopy

PLENTY = 1 << 30
OBJECTS = {("project", ".git", "objects")}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    (path / "project" / ".git" / "objects" / "ab").mkdir(parents=True)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def copied(source: Path, target: Path, max_bytes: int = PLENTY) -> int:
    return TreeCopy(source, target, shared=OBJECTS, max_bytes=max_bytes).bytes


def test_names_contents_permissions_and_times_are_kept(source: Path, target: Path) -> None:
    (source / "naïve 文件").write_bytes(b"text")
    odd = os.fsencode(source) + b"/\xff\n"
    Path(os.fsdecode(odd)).write_bytes(bytes(range(256)) * 1000)
    (source / "run").touch(mode=0o755)
    (source / "empty").mkdir(mode=0o750)
    (source / "empty").chmod(0o2750)
    (source / "run").chmod(0o4755)
    for number, path in enumerate(sorted(source.rglob("*"))):
        os.utime(path, ns=(10**18 + number, 10**18 + 7 * number))
    copied(source, target)
    for path in (source, *source.rglob("*")):
        one, other = path.lstat(), (target / path.relative_to(source)).lstat()
        if path != source:
            assert other.st_mtime_ns == one.st_mtime_ns
            assert other.st_mode == one.st_mode & ~0o7000, "never set-uid"
        if stat.S_ISREG(one.st_mode):
            assert (target / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_links_are_copied_and_never_followed(source: Path, target: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("4711")
    links = {"folder": outside, "file": outside / "secret", "root": Path("/"), "loop": Path("loop")}
    for name, to in links.items():
        (source / name).symlink_to(to)
    (source / "project" / ".git" / "objects" / "info").symlink_to(outside)
    copied(source, target)
    assert {name: (target / name).readlink() for name in links} == links
    assert (target / "project" / ".git" / "objects" / "info").readlink() == outside


def test_only_read_only_objects_are_shared(source: Path, target: Path) -> None:
    objects = source / "project" / ".git" / "objects"
    done, growing, elsewhere = objects / "ab" / "done", objects / "growing", source / "project" / "page"
    for path in (done, growing, elsewhere):
        path.write_text("x" * 100_000)
    for path in (done, elsewhere):
        path.chmod(0o444)
    taken = copied(source, target)

    def is_shared(path: Path) -> bool:
        return path.samefile(target / path.relative_to(source))

    assert (is_shared(done), is_shared(growing), is_shared(elsewhere)) == (True, False, False)
    assert 200_000 < taken < 300_000


def test_the_size_is_bounded_however_it_is_made_up(source: Path, target: Path) -> None:
    (source / "sparse").touch()
    os.truncate(source / "sparse", 1 << 40)
    with pytest.raises(Refusal, match="more than the"):
        copied(source, target)
    (source / "sparse").unlink()
    for number in range(100):
        (source / f"{number}").touch()
    (target / "other").mkdir()
    with pytest.raises(Refusal, match="more than the 100000 bytes left"):
        copied(source, target / "other", 100_000)


def test_what_is_no_tree_of_files_is_refused(source: Path, target: Path) -> None:
    os.mkfifo(source / "project" / "fifo")
    with pytest.raises(Refusal, match="project/fifo is neither file, folder nor link"):
        copied(source, target)
    (source / "project" / "fifo").unlink()
    descriptor = os.open(source, os.O_RDONLY)
    for _ in range(150):  # by descriptors, for the whole path is too long at the end
        os.mkdir("d" * 100, dir_fd=descriptor)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    (target / "other").mkdir()
    with pytest.raises(Refusal, match="nested more than 100 deep"):
        copied(source, target / "other")
