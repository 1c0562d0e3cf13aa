"""The embedded git host's API, checked with the client that is generated from Gitea's own description."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from git_env.host import GitHost, HostSettings
from tests.envs.git.checkouts import git, make_checkout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    make_checkout(folder / "project", commits=3)
    return folder


@pytest.fixture(scope="module")
def host(sources: Path) -> Iterator[GitHost]:
    with GitHost(settings=HostSettings(allow_paths=(sources,))) as started:
        yield started


@pytest.fixture(scope="module")
def gitea() -> Any:
    """The package ``gitea_api_client``; it takes seconds to import, so only where these tests run."""
    return importlib.import_module("gitea_api_client")


@pytest.fixture
async def client(gitea: Any, host: GitHost) -> AsyncIterator[Any]:
    configuration = gitea.Configuration(
        host=f"{host.url}/api/v1", username=host.username, password=host.password
    )
    async with gitea.ApiClient(configuration) as opened:
        yield opened


@pytest.fixture
def http(host: GitHost) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{host.url}/api/v1", auth=(host.username, host.password)) as opened:
        yield opened


async def test_who_and_what(gitea: Any, client: Any, host: GitHost) -> None:
    version = (await gitea.MiscellaneousApi(client).get_version()).version
    assert version is not None and version.startswith("1.")
    user = await gitea.UserApi(client).user_get_current()
    assert (user.login, user.is_admin) == (host.username, True)


async def test_the_sample_repository(gitea: Any, client: Any, host: GitHost) -> None:
    repository = await gitea.RepositoryApi(client).repo_get(host.username, "sample-project")
    assert repository.clone_url == f"{host.url}/{host.username}/sample-project.git"
    assert (repository.default_branch, repository.empty, repository.private) == ("main", False, False)
    branches = await gitea.RepositoryApi(client).repo_list_branches(host.username, "sample-project")
    assert [each.name for each in branches] == ["feature/priorities", "fix/empty-list", "main", "release/1.0"]
    # The same hash in every run and on every machine.
    main = await gitea.RepositoryApi(client).repo_get_branch(host.username, "sample-project", "main")
    assert main.commit is not None
    assert main.commit.id == "58901bcfd6887f959ee43a16fdee8331502dd2f5"


async def test_commits_are_paged(gitea: Any, client: Any, host: GitHost) -> None:
    api = gitea.RepositoryApi(client)
    seen: list[str] = []
    for number in range(1, 5):
        page = await api.repo_get_all_commits_with_http_info(
            host.username, "sample-project", sha="main", page=number, limit=10
        )
        assert page.headers["x-total-count"] == page.headers["x-total"] == "28"
        assert page.headers["x-pagecount"] == "3"
        assert page.headers["x-hasmore"] == str(number < 3).lower()
        seen += [str(commit.sha) for commit in page.data]
    assert len(seen) == len(set(seen)) == 28
    merge = next(
        commit
        for commit in await api.repo_get_all_commits(host.username, "sample-project")
        if commit.parents and len(commit.parents) == 2
    )
    assert merge.commit is not None and merge.commit.author is not None
    assert merge.commit.message == "Merge branch 'feature/priorities'\n"
    assert merge.commit.author.var_date == "2024-01-02T09:00:00+00:00"


async def test_commits_of_a_path_a_tag_and_a_hash(gitea: Any, client: Any, host: GitHost) -> None:
    api = gitea.RepositoryApi(client)
    commits = await api.repo_get_all_commits(host.username, "sample-project", path="examples/shopping.txt")
    assert len(commits) == 3
    tagged = await api.repo_get_all_commits(host.username, "sample-project", sha="v1.0.0", limit=1)
    assert tagged[0].commit is not None and tagged[0].commit.message == "Set the version to 1.0.0\n"
    assert tagged[0].sha is not None
    single = await api.repo_get_single_commit(host.username, "sample-project", tagged[0].sha[:10])
    assert single.sha == tagged[0].sha


async def test_create_get_search_delete(gitea: Any, client: Any, host: GitHost) -> None:
    api, user = gitea.RepositoryApi(client), gitea.UserApi(client)
    option = gitea.CreateRepoOption(
        name="Fresh", description="for a while", default_branch="trunk", private=True
    )
    created = await user.create_current_user_repo(option)
    assert (created.full_name, created.empty, created.default_branch) == (
        f"{host.username}/Fresh",
        True,
        "trunk",
    )
    again = await api.repo_get(host.username.upper(), "fresh")  # names ignore case
    assert again.id == created.id
    found = await api.repo_search(q="FRE")
    assert found.ok and [each.name for each in found.data or []] == ["Fresh"]
    assert "Fresh" in [each.name for each in await user.user_current_list_repos()]
    with pytest.raises(gitea.ApiException) as taken:
        await user.create_current_user_repo(gitea.CreateRepoOption(name="FRESH"))
    assert taken.value.status == 409
    with pytest.raises(gitea.ApiException) as empty:
        await api.repo_get_all_commits(host.username, "Fresh")
    assert empty.value.status == 409
    assert await api.repo_list_branches(host.username, "Fresh") == []
    await api.repo_delete(host.username, "Fresh")
    with pytest.raises(gitea.ApiException) as gone:
        await api.repo_get(host.username, "Fresh")
    assert gone.value.status == 404


async def test_migrate_a_local_checkout(gitea: Any, client: Any, host: GitHost, sources: Path) -> None:
    option = gitea.MigrateRepoOptions(
        clone_addr=str(sources / "project"), repo_name="Imported", repo_owner=host.username, service="git"
    )
    migrated = await gitea.RepositoryApi(client).repo_migrate(option)
    assert (migrated.name, migrated.default_branch, migrated.original_url) == ("Imported", "main", "")
    commits = await gitea.RepositoryApi(client).repo_get_all_commits(host.username, "Imported")
    assert commits[0].sha == git("rev-parse", "HEAD", cwd=sources / "project")
    with pytest.raises(gitea.ApiException) as taken:
        await gitea.RepositoryApi(client).repo_migrate(option)
    assert taken.value.status == 409
    await gitea.RepositoryApi(client).repo_delete(host.username, "Imported")


async def test_tokens(gitea: Any, client: Any, host: GitHost) -> None:
    option = gitea.CreateAccessTokenOption(name="reader", scopes=["read:repository"])
    token = await gitea.UserApi(client).user_create_token(host.username, option)
    assert token.sha1 is not None
    assert [each.sha1 for each in await gitea.UserApi(client).user_get_tokens(host.username)] == [""]
    configuration = gitea.Configuration(
        host=f"{host.url}/api/v1",
        api_key={"AuthorizationHeaderToken": token.sha1},
        api_key_prefix={"AuthorizationHeaderToken": "token"},
    )
    another = gitea.CreateAccessTokenOption(name="another", scopes=["all"])
    async with gitea.ApiClient(configuration) as reader:
        await gitea.RepositoryApi(reader).repo_get(host.username, "sample-project")
        for forbidden in (
            gitea.UserApi(reader).user_get_current(),
            gitea.UserApi(reader).create_current_user_repo(gitea.CreateRepoOption(name="x")),
            gitea.RepositoryApi(reader).repo_delete(host.username, "sample-project"),
            gitea.UserApi(reader).user_create_token(host.username, another),
        ):
            with pytest.raises(gitea.ApiException) as refusal:
                await forbidden
            assert refusal.value.status == 403
        await gitea.UserApi(client).user_delete_access_token(host.username, "reader")
        with pytest.raises(gitea.ApiException) as revoked:
            await gitea.RepositoryApi(reader).repo_get(host.username, "sample-project")
        assert revoked.value.status == 401


@pytest.mark.parametrize("scopes", [[], ["everything"], ["all", "write:nothing"]])
def test_bad_token_scopes(http: httpx.Client, host: GitHost, scopes: list[str]) -> None:
    reply = http.post(f"/users/{host.username}/tokens", json={"name": "z", "scopes": scopes})
    assert reply.status_code == 400


def test_list_paging_headers(http: httpx.Client) -> None:
    for number in range(3):
        assert http.post("/user/repos", json={"name": f"paged-{number}"}).status_code == 201
    first = http.get("/repos/search", params={"q": "paged", "limit": 2})
    assert [each["name"] for each in first.json()["data"]] == ["paged-0", "paged-1"]
    assert first.headers["X-Total-Count"] == "3"
    assert set(first.links) == {"next", "last"}
    second = http.get(first.links["next"]["url"])
    assert [each["name"] for each in second.json()["data"]] == ["paged-2"]
    assert set(second.links) == {"first", "prev"}
    beyond = http.get("/repos/search", params={"q": "paged", "page": 9})
    assert beyond.json()["data"] == []
    down = http.get("/repos/search", params={"q": "paged", "sort": "id", "order": "desc"})
    assert [each["name"] for each in down.json()["data"]] == ["paged-2", "paged-1", "paged-0"]
    odd = http.get("/repos/search", params={"q": "paged", "page": -1, "limit": -5})
    assert len(odd.json()["data"]) == 3
    for number in range(3):
        assert http.delete(f"/repos/gitea/paged-{number}").status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/repos/gitea/none", None, 404),
        ("GET", "/nowhere", None, 404),
        ("PUT", "/version", None, 405),
        ("POST", "/user/repos", {"name": "../x"}, 422),
        ("POST", "/user/repos", {"name": "x", "default_branch": "--upload-pack=x"}, 422),
        ("POST", "/user/repos", {"name": "x", "auto_init": True}, 422),
        ("POST", "/user/repos", {}, 422),
        ("POST", "/user/repos", {"name": 3}, 422),
        ("POST", "/repos/migrate", {"clone_addr": "ext::sh -c x", "repo_name": "x"}, 422),
        ("POST", "/repos/migrate", {"clone_addr": "http://x/y", "repo_owner": "else"}, 422),
        ("POST", "/repos/migrate", {"clone_addr": "http://x/y", "mirror": True}, 422),
        ("GET", "/repos/gitea/sample-project/branches/none", None, 404),
        ("GET", "/repos/gitea/sample-project/commits?sha=--output=/tmp/x", None, 404),
        ("GET", "/repos/gitea/sample-project/commits?sha=main..release/1.0", None, 404),
        ("GET", "/repos/gitea/sample-project/commits?sha=HEAD@{1}", None, 404),
        ("GET", "/users/else/tokens", None, 404),
    ],
)
def test_errors_have_giteas_shape(
    http: httpx.Client, host: GitHost, method: str, path: str, body: object, status: int
) -> None:
    reply = http.request(method, path, json=body)
    assert reply.status_code == status
    assert set(reply.json()) == {"message", "url"}
    assert reply.json()["url"] == f"{host.url}/api/swagger"


def test_a_path_is_never_an_option_or_a_pattern(http: httpx.Client) -> None:
    for path in ("--all", ":(top)*", "*"):
        reply = http.get("/repos/gitea/sample-project/commits", params={"path": path})
        assert (reply.status_code, reply.json()) == (200, [])
