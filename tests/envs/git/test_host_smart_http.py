"""Real git against the embedded git host: clone, push, and what happens under load and failure."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from git_env.host import GitHost, HostLimits, HostSettings
from tests.envs.git.checkouts import git, make_checkout, try_git

_FETCH_TYPE = "application/x-git-upload-pack-request"


def with_login(host: GitHost, repository: str = "sample-project", password: str | None = None) -> str:
    """The clone URL of a repository, with credentials in it."""
    login = f"{host.username}:{password or host.password}"
    return f"http://{login}@{urlsplit(host.url).netloc}/{host.username}/{repository}.git"


def basic(host: GitHost) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{host.username}:{host.password}".encode()).decode()


@pytest.fixture(scope="module")
def host() -> Iterator[GitHost]:
    with GitHost() as started:
        yield started


@pytest.fixture(scope="module")
def writable() -> Iterator[GitHost]:
    settings = HostSettings(allow_push=True, limits=HostLimits(push_bytes=1 << 20))
    with GitHost(settings=settings) as started:
        yield started


def test_clone_has_all_branches_tags_and_the_merge(host: GitHost, tmp_path: Path) -> None:
    git("clone", "--quiet", with_login(host), tmp_path / "copy")
    copy = tmp_path / "copy"
    assert git("rev-list", "--count", "--all", cwd=copy) == "30"
    assert git("tag", cwd=copy).split() == ["v0.1.0", "v1.0.0", "v1.1.0"]
    assert len(git("branch", "--remotes", "--format=%(refname)", cwd=copy).split()) == 5  # with origin/HEAD
    assert git("rev-list", "--count", "--merges", "HEAD", cwd=copy) == "1"
    git("fsck", "--strict", cwd=copy)


def test_shallow_and_partial_clones(host: GitHost, tmp_path: Path) -> None:
    git("clone", "--quiet", "--depth=1", with_login(host), tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "1"
    git("clone", "--quiet", "--bare", "--filter=blob:none", with_login(host), tmp_path / "partial")
    missing = git("rev-list", "--objects", "--all", "--missing=print", "--quiet", cwd=tmp_path / "partial")
    assert missing.startswith("?")


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_protocol_version(host: GitHost, version: str) -> None:
    listed = git("-c", f"protocol.version={version}", "ls-remote", "--heads", with_login(host))
    assert len(listed.splitlines()) == 4


def test_a_wrong_or_missing_password(host: GitHost, tmp_path: Path) -> None:
    for url in (f"{host.url}/{host.username}/sample-project.git", with_login(host, password="wrong")):
        assert try_git("clone", url, tmp_path / "copy").returncode != 0
    reply = httpx.get(f"{host.url}/{host.username}/sample-project.git/info/refs?service=git-upload-pack")
    assert reply.status_code == 401 and reply.headers["www-authenticate"].startswith("Basic ")


def test_a_token_in_place_of_the_password(host: GitHost) -> None:
    reply = httpx.post(
        f"{host.url}/api/v1/users/{host.username}/tokens",
        auth=(host.username, host.password),
        json={"name": "git", "scopes": ["read:repository"]},
    )
    assert len(git("ls-remote", "--heads", with_login(host, password=reply.json()["sha1"])).splitlines()) == 4


def test_pushes_are_off_by_default(host: GitHost, tmp_path: Path) -> None:
    git("clone", "--quiet", with_login(host), tmp_path / "copy")
    done = try_git("push", "origin", "HEAD:refs/heads/new", cwd=tmp_path / "copy")
    assert done.returncode != 0 and "403" in done.stderr
    assert "new" not in git("ls-remote", "--heads", with_login(host))


def test_push_and_fetch(writable: GitHost, tmp_path: Path) -> None:
    for name in ("one", "two"):
        git("clone", "--quiet", with_login(writable), tmp_path / name)
    (tmp_path / "one" / "new.txt").write_text("new\n")
    git("add", ".", cwd=tmp_path / "one")
    git("commit", "--quiet", "--message=New", cwd=tmp_path / "one")
    git("push", "--quiet", "origin", "HEAD", cwd=tmp_path / "one")
    git("fetch", "--quiet", cwd=tmp_path / "two")
    assert git("rev-parse", "origin/main", cwd=tmp_path / "two") == git(
        "rev-parse", "HEAD", cwd=tmp_path / "one"
    )


def test_a_push_in_chunks(writable: GitHost, tmp_path: Path) -> None:
    git("clone", "--quiet", with_login(writable), tmp_path / "copy")
    (tmp_path / "copy" / "noise").write_bytes(os.urandom(300_000))
    git("add", ".", cwd=tmp_path / "copy")
    git("commit", "--quiet", "--message=Noise", cwd=tmp_path / "copy")
    # Over this size git sends the pack chunked, with no length told before.
    git(
        "-c",
        "http.postBuffer=65536",
        "push",
        "--quiet",
        "origin",
        "HEAD:refs/heads/chunked",
        cwd=tmp_path / "copy",
    )
    assert "refs/heads/chunked" in git("ls-remote", "--heads", with_login(writable))


def test_a_push_over_the_bound(writable: GitHost, tmp_path: Path) -> None:
    git("clone", "--quiet", with_login(writable), tmp_path / "copy")
    (tmp_path / "copy" / "noise").write_bytes(os.urandom(4 << 20))
    git("add", ".", cwd=tmp_path / "copy")
    git("commit", "--quiet", "--message=Noise", cwd=tmp_path / "copy")
    for buffer in ("http.postBuffer=65536", "http.postBuffer=8388608"):  # chunked, and with a length
        done = try_git("-c", buffer, "push", "origin", "HEAD:refs/heads/huge", cwd=tmp_path / "copy")
        assert done.returncode != 0
    assert "huge" not in git("ls-remote", "--heads", with_login(writable))


def test_no_hook_runs(writable: GitHost, tmp_path: Path) -> None:
    repository = writable.import_repository(make_checkout(tmp_path / "hooked"))
    (repository.path / "hooks").mkdir(exist_ok=True)
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        hook = repository.path / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    git("push", "--quiet", with_login(writable, "hooked"), "HEAD:refs/heads/x", cwd=tmp_path / "hooked")
    assert not (tmp_path / "ran").exists()


def test_a_gzipped_request(host: GitHost) -> None:
    body = gzip.compress(b"0014command=ls-refs\n0000")
    reply = httpx.post(
        f"{host.url}/{host.username}/sample-project.git/git-upload-pack",
        auth=(host.username, host.password),
        content=body,
        headers={"Content-Type": _FETCH_TYPE, "Content-Encoding": "gzip", "Git-Protocol": "version=2"},
    )
    assert reply.status_code == 200 and b"refs/heads/main" in reply.content


def test_clones_at_once(host: GitHost, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: git("clone", "--quiet", with_login(host), tmp_path / str(n)), range(12)))
    assert len({git("rev-parse", "HEAD", cwd=tmp_path / str(n)) for n in range(12)}) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/gitea/sample-project.git/HEAD",
        "/gitea/sample-project.git/config",
        "/gitea/sample-project.git/openenv-gym.json",
        "/gitea/sample-project.git/objects/info/packs",
        "/gitea/sample-project.git/info/refs",
        "/gitea/sample-project.git/info/refs?service=git-upload-archive",
        "/gitea/../home/gitconfig",
        "/gitea/..%2f..%2fhome/info/refs?service=git-upload-pack",
        "/../home/info/refs?service=git-upload-pack",
        "/%2e%2e/home/info/refs?service=git-upload-pack",
        "/gitea/none.git/info/refs?service=git-upload-pack",
        "/gitea/.git/info/refs?service=git-upload-pack",
        "/gitea/sample-project.git.git/info/refs?service=git-upload-pack",
        "//etc/passwd",
    ],
)
def test_nothing_but_smart_http_is_served(host: GitHost, path: str) -> None:
    # http.client sends the path as it is; cleverer clients tidy it up.
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=30)
    try:
        connection.request(
            "GET", path, headers={"Authorization": httpx.BasicAuth(host.username, host.password)._auth_header}
        )
        reply = connection.getresponse()
        assert reply.status in (403, 404)
        assert b"ref" not in reply.read().replace(b"reference", b"")
    finally:
        connection.close()


def test_a_wrong_content_type(host: GitHost) -> None:
    url = f"{host.url}/{host.username}/sample-project.git/git-upload-pack"
    reply = httpx.post(url, auth=(host.username, host.password), content=b"0000")
    assert reply.status_code == 400


class TestStalledRequests:
    """A client that promises a body and sends none holds a git process, but not for ever."""

    @pytest.fixture
    def stalled(self) -> Iterator[Callable[[GitHost], socket.socket]]:
        opened: list[socket.socket] = []

        def stall(host: GitHost) -> socket.socket:
            address = urlsplit(host.url)
            assert address.hostname is not None and address.port is not None
            connection = socket.create_connection((address.hostname, address.port), timeout=30)
            opened.append(connection)
            head = (
                f"POST /{host.username}/sample-project.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: {basic(host)}\r\nContent-Type: {_FETCH_TYPE}\r\n"
                "Content-Length: 100\r\n\r\n0011"
            )
            connection.sendall(head.encode())
            return connection

        yield stall
        for connection in opened:
            connection.close()

    def test_a_client_that_leaves_takes_its_process_along(
        self, stalled: Callable[[GitHost], socket.socket], host: GitHost
    ) -> None:
        connection = stalled(host)
        wait_until(lambda: backends())
        connection.close()
        wait_until(lambda: not backends())

    def test_the_deadline_and_the_bound_on_processes(
        self, stalled: Callable[[GitHost], socket.socket]
    ) -> None:
        limits = HostLimits(git_seconds=1.0, git_processes=1, queue_seconds=0.1)
        with GitHost(settings=HostSettings(limits=limits)) as host:
            connection = stalled(host)
            wait_until(lambda: backends())
            refused = httpx.get(
                f"{host.url}/{host.username}/sample-project.git/info/refs?service=git-upload-pack",
                auth=(host.username, host.password),
            )
            assert refused.status_code == 503
            reply = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            assert not reply.endswith(b"0\r\n\r\n")  # cut off: nobody can take it for complete
            wait_until(lambda: not backends())
            assert len(git("ls-remote", "--heads", with_login(host)).splitlines()) == 4

    def test_stop_ends_what_runs(self, stalled: Callable[[GitHost], socket.socket]) -> None:
        with GitHost() as host:
            stalled(host)
            wait_until(lambda: backends())
        assert not backends()


class TestBodiesOverTheirBound:
    large = b"0" * 5000

    @pytest.fixture
    def host(self) -> Iterator[GitHost]:
        limits = HostLimits(fetch_request_bytes=1000, api_body_bytes=1000)
        with GitHost(settings=HostSettings(limits=limits)) as started:
            yield started

    def post(self, host: GitHost, path: str, kind: str, content: bytes | Iterator[bytes]) -> httpx.Response:
        return httpx.post(
            f"{host.url}{path}",
            auth=(host.username, host.password),
            content=content,
            headers={"Content-Type": kind},
        )

    def test_api_requests(self, host: GitHost) -> None:
        for content in (self.large, iter([self.large])):  # with a length, and chunked
            reply = self.post(host, "/api/v1/user/repos", "application/json", content)
            assert reply.status_code == 413

    def test_fetch_requests(self, host: GitHost) -> None:
        path = f"/{host.username}/sample-project.git/git-upload-pack"
        assert self.post(host, path, _FETCH_TYPE, self.large).status_code == 413
        # git may have begun to answer before the body is too large: then the reply is cut off.
        with contextlib.suppress(httpx.RemoteProtocolError):
            assert self.post(host, path, _FETCH_TYPE, iter([self.large])).status_code == 413


def wait_until(true: Callable[[], object]) -> None:
    """Wait for another process; the bound is generous, only a broken host reaches it."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("did not come true within half a minute")


def backends() -> list[str]:
    """The git processes that this process has started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")
            command = status.with_name("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[2].split()[1] == str(os.getpid()) and b"http-backend" in command:
            found.append(command.decode())
    return found
