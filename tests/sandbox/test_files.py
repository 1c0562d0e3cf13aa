"""read_file and write_file stay below their mount and out of what is forbidden, whatever lies there."""

from __future__ import annotations

import errno
import os

import pytest
from sandbox_scene import python_inside

from openenv_gym.errors import UsageError
from openenv_gym.sandbox import Limits, Mount, SandboxSpec, open_sandbox


@pytest.fixture
def secret(workspace):
    path = workspace.parent / "secret"
    path.write_text("secret")
    path.chmod(0o666)
    yield path
    path.unlink()


def test_a_file_comes_back_as_written(sandbox, workspace) -> None:
    data = bytes(range(256)) * 1000
    sandbox.write_file("a/b/c.bin", data)
    assert sandbox.read_file("/workspace/a/b/c.bin") == data
    assert (workspace / "a/b/c.bin").read_bytes() == data
    assert (workspace / "a/b/c.bin").stat().st_uid == sandbox.uid


def test_replacing_keeps_permissions_and_leaves_no_other_file(sandbox, workspace) -> None:
    sandbox.write_file("script", b"one")
    (workspace / "script").chmod(0o755)
    sandbox.write_file("script", b"two")
    assert sandbox.read_file("script") == b"two"
    assert (workspace / "script").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in workspace.iterdir()] == ["script"]


def test_programs_and_files_share_the_private_folder(sandbox) -> None:
    sandbox.write_file("/tmp/input", b"text")
    assert sandbox.run(["sh", "-c", 'cat "$TMPDIR/input"']).stdout == b"text"


def test_what_is_missing_is_missing(sandbox) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sandbox.read_file("none/at/all")
    assert caught.value.filename == "none/at/all"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/workspace/../etc/passwd", "../secret", "a/../../secret", "/", "/work", "/workspace2/x"],
)
def test_paths_that_leave_the_mounts_are_refused(sandbox, secret, path) -> None:
    sandbox.write_file("a/b", b"")
    with pytest.raises(PermissionError):
        sandbox.read_file(path)
    with pytest.raises(PermissionError):
        sandbox.write_file(path, b"x")


def test_a_path_with_a_null_character_is_refused(sandbox) -> None:
    with pytest.raises(UsageError):
        sandbox.read_file("a\0b")


def test_dots_within_the_mount_are_followed(sandbox) -> None:
    sandbox.write_file("a/b", b"text")
    assert sandbox.read_file("./a/../a//b") == b"text"


@pytest.mark.parametrize("target", ["absolute", "../secret", "../../../../../../../etc/hostname"])
def test_links_that_leave_the_mount_are_refused(sandbox, workspace, secret, target) -> None:
    (workspace / "link").symlink_to(secret if target == "absolute" else target)
    with pytest.raises(PermissionError):
        sandbox.read_file("link")
    with pytest.raises(PermissionError):
        sandbox.write_file("link", b"x")
    assert secret.read_text() == "secret"


def test_folders_that_are_links_out_are_refused(sandbox, workspace, secret) -> None:
    (workspace / "folder").symlink_to(workspace.parent)
    (workspace / "up").symlink_to("..")
    for path in ("folder/secret", "up/secret"):
        with pytest.raises(PermissionError):
            sandbox.read_file(path)
        with pytest.raises(PermissionError):
            sandbox.write_file(path, b"x")


def test_links_within_the_mount_are_followed(sandbox, workspace) -> None:
    sandbox.write_file("a/real", b"text")
    (workspace / "link").symlink_to("a/real")
    (workspace / "a/back").symlink_to("../link")
    assert sandbox.read_file("a/back") == b"text"
    sandbox.write_file("a/back", b"new")
    assert (workspace / "a/real").read_bytes() == b"new"
    assert (workspace / "link").is_symlink()


def test_links_in_a_circle_end(sandbox, workspace) -> None:
    (workspace / "round").symlink_to("round")
    with pytest.raises(OSError) as caught:
        sandbox.read_file("round")
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize(
    "path", [".git/config", "repo/.GIT/config", "x/../.Git", "link/config", "deep/config"]
)
def test_forbidden_names_are_refused_in_any_case_and_through_links(sandbox, workspace, path) -> None:
    sandbox.write_file(".git/config", b"[core]")
    sandbox.write_file("x/y", b"")
    sandbox.write_file("repo/y", b"")
    (workspace / "link").symlink_to(".git")
    (workspace / "deep").symlink_to("x/../link")
    with pytest.raises(PermissionError):
        sandbox.read_file(path, forbidden=[".git"])
    with pytest.raises(PermissionError):
        sandbox.write_file(path, b"owned", forbidden=[".git"])
    assert sandbox.read_file(".git/config") == b"[core]"


def test_writing_to_a_hard_link_leaves_the_other_name_alone(sandbox, workspace) -> None:
    sandbox.write_file(".git/config", b"[core]")
    os.link(workspace / ".git/config", workspace / "innocent")
    sandbox.write_file("innocent", b"owned", forbidden=[".git"])
    assert sandbox.read_file(".git/config") == b"[core]"


def test_only_regular_files_are_read(sandbox, workspace) -> None:
    os.mkfifo(workspace / "pipe")
    (workspace / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        sandbox.read_file("folder")
    with pytest.raises(OSError, match="not a regular file"):
        sandbox.read_file("pipe")
    with pytest.raises(IsADirectoryError):
        sandbox.write_file(".", b"x")


def test_a_file_that_is_a_folder_on_the_way_is_told(sandbox) -> None:
    sandbox.write_file("file", b"")
    with pytest.raises(NotADirectoryError):
        sandbox.read_file("file/below")
    with pytest.raises(NotADirectoryError):
        sandbox.write_file("file/below", b"")


def test_files_beyond_the_bound_are_refused(opened, workspace) -> None:
    sandbox = opened(limits=Limits(file_bytes=1000))
    sandbox.write_file("big", bytes(1000))
    assert len(sandbox.read_file("big", max_bytes=1000)) == 1000
    with pytest.raises(OSError) as caught:
        sandbox.read_file("big", max_bytes=999)
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError) as caught:
        sandbox.write_file("big", bytes(1001))
    assert caught.value.errno == errno.EFBIG


def test_read_only_mounts_are_not_written(mechanism, base) -> None:
    (base / "shared").mkdir()
    (base / "shared/file").write_text("text")
    with open_sandbox(SandboxSpec(mounts=(Mount(base / "shared", "/shared"),)), mechanism) as sandbox:
        assert sandbox.read_file("/shared/file") == b"text"
        with pytest.raises(PermissionError):
            sandbox.write_file("/shared/file", b"x")


def test_a_folder_that_turns_into_a_link_in_mid_walk_gains_nothing(sandbox, secret) -> None:
    source = """
import ctypes, os
os.mkdir("door")
open("door/secret", "w").write("harmless")
os.symlink(os.pardir, "pointer")
print("ready", flush=True)
exchange = ctypes.CDLL(None).renameat2
while exchange(-100, b"door", -100, b"pointer", 2) == 0:
    pass
"""
    with sandbox.popen([python_inside(sandbox), "-c", source]) as flipping:
        assert flipping.stdout.readline() == b"ready\n"
        outcomes = set()
        for _ in range(300):
            try:
                outcomes.add(sandbox.read_file("door/secret"))
                sandbox.write_file("door/secret", b"harmless")
            except PermissionError:
                outcomes.add(b"refused")
        assert flipping.poll() is None
        flipping.kill()
    assert outcomes == {b"harmless", b"refused"}
    assert secret.read_text() == "secret"
