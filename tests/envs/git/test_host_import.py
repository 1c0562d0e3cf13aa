"""What an import into the embedded git host takes, leaves, and does when it goes wrong."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from git_env.host import GitHost, HostLimits, HostSettings
from git_env.host.errors import ConflictError, InvalidError, TooLargeError
from tests.envs.git.checkouts import git, make_checkout


@pytest.fixture(scope="module")
def host() -> Iterator[GitHost]:
    with GitHost() as started:
        yield started


def refs(path: Path) -> dict[str, str]:
    """All references of a hosted repository."""
    lines = git("--git-dir", path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def leftovers(host: GitHost) -> list[Path]:
    """What lies in the folder for unfinished imports."""
    assert host.root is not None
    return list((host.root / "incoming").iterdir())


def test_only_committed_branches_and_tags_are_taken(host: GitHost, tmp_path: Path) -> None:
    origin = make_checkout(tmp_path / "origin")
    git("clone", "--quiet", origin, tmp_path / "work")
    work = tmp_path / "work"
    git("branch", "topic", cwd=work)
    git("tag", "v1", cwd=work)
    (work / "file.txt").write_text("stashed\n")
    git("stash", cwd=work)
    (work / "file.txt").write_text("not committed\n")
    hosted = host.import_repository(work)
    assert set(refs(hosted.path)) == {"refs/heads/main", "refs/heads/topic", "refs/tags/v1"}
    assert hosted.default_branch == "main"
    assert str(tmp_path) not in (hosted.path / "config").read_text()


def test_a_detached_checkout_without_branches(host: GitHost, tmp_path: Path) -> None:
    """As continuous integration makes them."""
    checkout = make_checkout(tmp_path / "detached")
    head = git("rev-parse", "HEAD", cwd=checkout)
    git("checkout", "--quiet", "--detach", cwd=checkout)
    git("branch", "--delete", "--force", "main", cwd=checkout)
    hosted = host.import_repository(checkout)
    assert (hosted.default_branch, refs(hosted.path)) == ("main", {"refs/heads/main": head})


def test_a_detached_checkout_beside_its_branch(host: GitHost, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "beside", commits=3)
    git("checkout", "--quiet", "HEAD~1", cwd=checkout)
    hosted = host.import_repository(checkout)
    assert hosted.default_branch.startswith("detached-")
    assert refs(hosted.path)["refs/heads/" + hosted.default_branch] == git("rev-parse", "HEAD", cwd=checkout)


def test_head_on_a_branch_that_does_not_exist_yet(host: GitHost, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "orphan")
    git("branch", "--move", "main", "zz", cwd=checkout)
    git("checkout", "--quiet", "--orphan", "unborn", cwd=checkout)
    assert host.import_repository(checkout).default_branch == "zz"


def test_a_shallow_checkout(host: GitHost, tmp_path: Path) -> None:
    origin = make_checkout(tmp_path / "deep", commits=4)
    git("clone", "--quiet", "--depth=1", f"file://{origin}", tmp_path / "shallow")
    hosted = host.import_repository(tmp_path / "shallow")
    assert git("--git-dir", hosted.path, "rev-list", "--count", "main") == "1"


def test_a_linked_worktree_and_an_empty_repository(host: GitHost, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "main-one")
    git("worktree", "add", "--quiet", "-b", "side", tmp_path / "linked", cwd=checkout)
    hosted = host.import_repository(tmp_path / "linked")
    assert hosted.default_branch == "side" and "refs/heads/main" in refs(hosted.path)
    git("init", "--quiet", "--bare", tmp_path / "nothing.git")
    assert host.import_repository(tmp_path / "nothing.git").empty


def test_the_sources_configuration_runs_nothing(host: GitHost, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "booby-trap")
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    trap.chmod(0o755)
    for setting in (
        "uploadpack.packObjectsHook",
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "credential.helper",
        "core.hooksPath",
    ):
        git("config", setting, trap, cwd=checkout)
    git("config", "remote.origin.url", f"ext::{trap}", cwd=checkout)
    git("config", "remote.origin.promisor", "true", cwd=checkout)
    git("config", "remote.origin.uploadpack", trap, cwd=checkout)
    git("config", "extensions.partialClone", "origin", cwd=checkout)
    hosted = host.import_repository(checkout)
    assert "refs/heads/main" in refs(hosted.path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_checkout_of_another_user(host: GitHost, tmp_path: Path) -> None:
    """git itself refuses it ("dubious ownership"); here the one who imports has decided."""
    checkout = make_checkout(tmp_path / "theirs")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert "refs/heads/main" in refs(host.import_repository(checkout).path)


def test_a_name_is_taken_once(host: GitHost, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "twice")
    host.import_repository(checkout)
    with pytest.raises(ConflictError):
        host.import_repository(checkout)
    assert host.import_repository(checkout, "other").name == "other"


@pytest.fixture(scope="module")
def origin() -> Iterator[GitHost]:
    with GitHost(username="origin", password="s3cret-p@ss/word") as started:
        yield started


class TestFromAnotherHost:
    """Imports over HTTP from a host that asks for a password."""

    def address(self, origin: GitHost, password: str) -> str:
        return f"http://origin:{password}@{urlsplit(origin.url).netloc}/origin/sample-project.git"

    def test_credentials_are_used_and_not_kept(
        self, host: GitHost, origin: GitHost, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        hosted = host.import_repository(self.address(origin, "s3cret-p%40ss%2Fword"), "from-origin")
        assert len(refs(hosted.path)) == 7
        assert hosted.original_url == f"{origin.url}/origin/sample-project.git"
        assert host.root is not None
        for path in host.root.rglob("*"):
            if path.is_file():
                assert b"s3cret" not in path.read_bytes(), path
        assert "s3cret" not in caplog.text

    def test_wrong_credentials_are_not_repeated(
        self, host: GitHost, origin: GitHost, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        reply = httpx.post(
            f"{host.url}/api/v1/repos/migrate",
            auth=(host.username, host.password),
            json={"clone_addr": self.address(origin, "wr0ng"), "repo_name": "never"},
        )
        assert reply.status_code == 422 and reply.json()["message"].startswith("Clone failed: ")
        assert "wr0ng" not in reply.text and "wr0ng" not in caplog.text and host.password not in caplog.text
        assert leftovers(host) == []

    def test_credentials_in_fields_of_their_own(self, host: GitHost, origin: GitHost) -> None:
        reply = httpx.post(
            f"{host.url}/api/v1/repos/migrate",
            auth=(host.username, host.password),
            json={
                "clone_addr": f"{origin.url}/origin/sample-project.git",
                "repo_name": "with-fields",
                "auth_username": "origin",
                "auth_password": "s3cret-p@ss/word",
            },
        )
        assert reply.status_code == 201, reply.text


def test_a_source_that_never_answers(tmp_path: Path) -> None:
    limits = HostLimits(migrate_seconds=0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        GitHost(settings=HostSettings(limits=limits)) as host,
    ):
        with pytest.raises(InvalidError, match=r"more than 0\.5 s"):
            host.import_repository(f"git://127.0.0.1:{silent.getsockname()[1]}/x")
        assert leftovers(host) == []


def test_a_source_that_is_too_large(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "large")
    with GitHost(settings=HostSettings(limits=HostLimits(migrate_bytes=100))) as host:
        with pytest.raises(TooLargeError):
            host.import_repository(checkout)
        assert leftovers(host) == []
        assert [each.name for each in host.repositories()] == ["sample-project"]


def test_paths_over_the_api_need_permission(host: GitHost, tmp_path: Path) -> None:
    """The same path that the host's owner may import."""
    checkout = make_checkout(tmp_path / "private")
    for address in (str(checkout), f"file://{checkout}", f"ext::git clone {checkout}"):
        reply = httpx.post(
            f"{host.url}/api/v1/repos/migrate",
            auth=(host.username, host.password),
            json={"clone_addr": address, "repo_name": "stolen"},
        )
        assert reply.status_code == 422
    assert "stolen" not in [each.name for each in host.repositories()]
