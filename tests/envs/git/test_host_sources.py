"""What the embedded git host lets in: clone addresses, paths, names."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_env.host.clone_source import allowed_local_source, local_source, remote_source
from git_env.host.errors import InvalidError, NotFoundError
from git_env.host.names import is_ref, lookup_key, name_from_address, repository_name
from tests.envs.git.checkouts import git, make_checkout


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c 'touch /tmp/x'",
        "ext::sh",
        "file:///etc",
        "FILE:///etc",
        "ssh://host/x",
        "git@host:x/y.git",
        "host:x/y.git",
        "-oProxyCommand=touch x",
        "--upload-pack=touch x",
        "http://-oProxyCommand=x/y",
        "git://-x/y",
        "http:host/x",
        "http:///x",
        "http://host",
        "http://host/",
        "http://host:0/x",
        "http://host:port/x",
        "http://host/x y",
        "http://host/x\ny",
        "http://host\\@other/x",
        "http://host/x?access_token=1",
        "http://host/x#y",
        "http://[::1/x",
        "http::http://host/x",
        "https+ext://host/x",
        "./x",
        "~/x",
        "",
        "http://host/" + "x" * 3000,
    ],
)
def test_addresses_that_are_no_plain_urls_are_refused(address: str) -> None:
    with pytest.raises(InvalidError):
        remote_source(address)


def test_a_refused_address_is_not_repeated() -> None:
    with pytest.raises(InvalidError) as refusal:
        remote_source("ssh://user:hunter2@host/x")
    assert "hunter2" not in str(refusal.value)


def test_credentials_leave_the_url() -> None:
    source = remote_source("https://me:p%40ss@example.com:8443/a/b.git")
    assert source.address == source.public_url == "https://example.com:8443/a/b.git"
    assert source.credential == "https://me:p%40ss@example.com:8443\n"
    assert "p%40ss" not in repr(source) and "p@ss" not in repr(source)
    noise = "fatal: 'https://me:p%40ss@example.com/': p@ss, http://other:word@x/"
    assert source.redact(noise) == "fatal: 'https://***@example.com/': ***, http://***@x/"


def test_a_token_alone_is_a_secret_too() -> None:
    source = remote_source("https://tok123@example.com/a")
    assert (
        "tok123" not in source.redact("got tok123") and source.credential == "https://tok123:@example.com\n"
    )
    given = remote_source("https://example.com/a", password="tok456")
    assert given.credential == "https://oauth2:tok456@example.com\n"


def test_redirects_cannot_leave_the_scheme_for_a_weaker_one() -> None:
    assert remote_source("https://example.com/a").protocols == "https"
    assert remote_source("git://example.com/a").protocols == "git"


def test_a_checkout_a_worktree_and_a_bare_repository_are_found(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    git("worktree", "add", "--quiet", tmp_path / "linked", cwd=checkout)
    git("clone", "--quiet", "--bare", checkout, tmp_path / "bare.git")
    assert local_source(checkout).address == str(checkout / ".git")
    assert local_source(tmp_path / "linked").address == str(checkout / ".git" / "worktrees" / "linked")
    assert local_source(tmp_path / "bare.git").address == str(tmp_path / "bare.git")
    for path in (checkout, tmp_path / "linked", tmp_path / "bare.git"):
        assert allowed_local_source(str(path), [tmp_path]) == local_source(path)


@pytest.mark.parametrize("path", ["", "sub", "missing"])
def test_what_is_no_repository_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InvalidError):
        local_source(tmp_path / path)


class TestBelowAllowedPaths:
    """A secret repository lies outside; nothing below the allowed folder may lead there."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        return make_checkout(tmp_path / "secret")

    @pytest.fixture
    def allowed(self, tmp_path: Path) -> Path:
        (tmp_path / "allowed").mkdir()
        return tmp_path / "allowed"

    def refuse(self, path: Path | str, allowed: Path) -> None:
        with pytest.raises(InvalidError):
            allowed_local_source(str(path), [allowed])

    def test_plain_paths(self, secret: Path, allowed: Path) -> None:
        self.refuse(secret, allowed)
        self.refuse(f"{allowed}/../secret", allowed)
        self.refuse(f"{allowed}-not/x", allowed)
        self.refuse("relative", allowed)
        self.refuse(f"{allowed}/x\n", allowed)
        with pytest.raises(InvalidError):
            allowed_local_source(str(secret), [])

    def test_the_refusal_does_not_tell_what_exists(self, secret: Path, allowed: Path) -> None:
        texts = set()
        for path in (secret, secret / "missing"):
            with pytest.raises(InvalidError) as refusal:
                allowed_local_source(str(path), [allowed])
            texts.add(str(refusal.value))
        assert len(texts) == 1

    def test_a_link_to_a_repository(self, secret: Path, allowed: Path) -> None:
        (allowed / "link").symlink_to(secret)
        self.refuse(allowed / "link", allowed)

    def test_a_loop_of_links(self, allowed: Path) -> None:
        (allowed / "loop").symlink_to(allowed / "loop")
        self.refuse(allowed / "loop", allowed)

    def test_a_git_folder_that_is_a_link(self, secret: Path, allowed: Path) -> None:
        (allowed / "repo").mkdir()
        (allowed / "repo" / ".git").symlink_to(secret / ".git")
        self.refuse(allowed / "repo", allowed)

    def test_a_git_file_that_points_outside(self, secret: Path, allowed: Path) -> None:
        (allowed / "repo").mkdir()
        (allowed / "repo" / ".git").write_text(f"gitdir: {secret}/.git\n")
        self.refuse(allowed / "repo", allowed)

    def test_a_common_folder_outside(self, secret: Path, allowed: Path) -> None:
        (allowed / "repo").mkdir()
        (allowed / "repo" / "HEAD").write_text("ref: refs/heads/main\n")
        (allowed / "repo" / "commondir").write_text(f"{secret}/.git\n")
        self.refuse(allowed / "repo", allowed)

    @pytest.mark.parametrize("form", ["{}", '"{}"'])
    def test_objects_borrowed_from_outside(self, secret: Path, allowed: Path, form: str) -> None:
        repo = make_checkout(allowed / "repo")
        alternates = repo / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text(form.format(secret / ".git" / "objects") + "\n")
        self.refuse(repo, allowed)

    @pytest.mark.parametrize("part", ["objects/pack", "refs/heads/stolen", "packed-refs"])
    def test_links_inside_the_git_folder(self, secret: Path, allowed: Path, part: str) -> None:
        repo = make_checkout(allowed / "repo")
        place = repo / ".git" / part
        if place.is_dir():
            place.rmdir()
        place.symlink_to(secret / ".git" / part)
        self.refuse(repo, allowed)

    def test_objects_borrowed_from_inside_are_fine(self, allowed: Path) -> None:
        repo = make_checkout(allowed / "repo")
        git("clone", "--quiet", "--shared", repo, allowed / "shared")
        assert allowed_local_source(str(allowed / "shared"), [allowed]).protocols == "file"


@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".", "..", ".git", "x.git", "-x", "", "a..b", "a\0", "é", "x" * 101]
)
def test_impossible_repository_names(name: str) -> None:
    with pytest.raises(InvalidError):
        repository_name(name)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "%2e%2e", "", "a\0", ".hidden"])
def test_impossible_names_are_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        lookup_key(name)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://example.com/a/OpenEnv.git", "OpenEnv"),
        ("/srv/my repo/", "my-repo"),
        ("/srv/..", "repository"),
        ("https://example.com/a/.hidden..git", "hidden"),
    ],
)
def test_names_suggested_for_addresses_are_legal(address: str, name: str) -> None:
    assert repository_name(name_from_address(address)) == name


def test_revision_syntax_is_no_name() -> None:
    for text in (
        "-x",
        "--all",
        "a..b",
        "a^",
        "a~1",
        "@{1}",
        "a:b",
        "",
        "a b",
        "/a",
        "a/",
        "a.lock",
        "^a",
        "a\n",
    ):
        assert not is_ref(text), text
    for text in ("main", "feature/x-1", "v1.0.0", "fix/#12", "a_b"):
        assert is_ref(text), text
