"""API routes that list, create, import and delete repositories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from git_env.host.accounts import Identity
from git_env.host.clone_source import CloneSource, allowed_local_source, remote_source
from git_env.host.context import CallerOf, Host, Readable, Reader, RepliesFor, RequestedPage, Writer
from git_env.host.errors import InvalidError
from git_env.host.names import name_from_address
from git_env.host.replies import Reply
from git_env.host.repositories import NewRepository, Repository
from git_env.host.settings import HostSettings

router = APIRouter()

_SORT_KEYS: dict[str, Callable[[Repository], Any]] = {
    "alpha": lambda repository: repository.name.lower(),
    "created": lambda repository: repository.created_at,
    "updated": lambda repository: repository.updated_at,
    "size": lambda repository: repository.size,
    "id": lambda repository: repository.id,
}


class CreateRepository(BaseModel):
    """The body of ``POST /user/repos``."""

    name: str
    description: str = ""
    private: bool = False
    default_branch: str = ""
    auto_init: bool = False


class MigrateRepository(BaseModel):
    """The body of ``POST /repos/migrate``. ``service`` is taken and ignored: only git data is imported."""

    clone_addr: str
    repo_name: str = ""
    repo_owner: str = ""
    description: str = ""
    private: bool = False
    mirror: bool = False
    service: str = "git"
    auth_username: str = ""
    auth_password: str = ""
    auth_token: str = ""


@router.get("/v1/user/repos")
async def own_repositories(
    request: Request, host: Host, identity: Reader, replies: RepliesFor, page: RequestedPage
) -> JSONResponse:
    """List the user's repositories by id."""
    everything = await asyncio.to_thread(host.store.all)
    own = [each for each in everything if each.owner.lower() == identity.username.lower()]
    body = await asyncio.to_thread(replies.repositories, page.cut(own))
    return JSONResponse(body, headers=page.headers(request.url, len(own)))


@router.get("/v1/repos/search")
async def search(
    request: Request,
    host: Host,
    caller: CallerOf,
    replies: RepliesFor,
    page: RequestedPage,
    q: str = "",
    sort: Literal["alpha", "created", "updated", "size", "id"] = "alpha",
    order: Literal["asc", "desc"] = "asc",
    in_description: Annotated[bool, Query(alias="includeDesc")] = False,
) -> JSONResponse:
    """Find repositories by a part of their name."""
    caller.may_read()

    def matches(repository: Repository) -> bool:
        texts = (repository.name, repository.description if in_description else "")
        return caller.sees(repository) and any(q.lower() in text.lower() for text in texts)

    def find() -> list[Repository]:
        found = filter(matches, host.store.all())
        return sorted(found, key=_SORT_KEYS[sort], reverse=order == "desc")

    found = await asyncio.to_thread(find)
    body = {"ok": True, "data": await asyncio.to_thread(replies.repositories, page.cut(found))}
    return JSONResponse(body, headers=page.headers(request.url, len(found)))


@router.post("/v1/user/repos", status_code=201)
async def create(host: Host, identity: Writer, replies: RepliesFor, body: CreateRepository) -> Reply:
    """Create an empty repository."""
    if body.auto_init:
        raise InvalidError("auto_init is not offered: create the repository empty and push to it")
    branch = body.default_branch or "main"
    new = NewRepository(identity.username, body.name, body.description, body.private, branch)
    return replies.repository(await host.store.create(new))


@router.post("/v1/repos/migrate", status_code=201)
async def migrate(host: Host, identity: Writer, replies: RepliesFor, body: MigrateRepository) -> Reply:
    """Import a repository; the reply comes when it is complete."""
    _check_migration(body, identity)
    source = await asyncio.to_thread(_source, body, host.settings)
    name = body.repo_name or name_from_address(body.clone_addr)
    new = NewRepository(identity.username, name, body.description, body.private)
    return replies.repository(await host.store.migrate(new, source))


@router.get("/v1/repos/{owner}/{repo}")
async def get(repository: Readable, replies: RepliesFor) -> Reply:
    """Return one repository."""
    return await asyncio.to_thread(replies.repository, repository)


@router.delete("/v1/repos/{owner}/{repo}", status_code=204)
async def delete(host: Host, identity: Writer, owner: str, repo: str) -> Response:
    """Delete one repository."""
    await asyncio.to_thread(host.store.delete, host.store.get(owner, repo))
    return Response(status_code=204)


def _check_migration(body: MigrateRepository, identity: Identity) -> None:
    if body.repo_owner and body.repo_owner.lower() != identity.username.lower():
        raise InvalidError("repo_owner must be your own user: this host has no other")
    if body.mirror:
        raise InvalidError("mirror is not offered: the import is made once")


def _source(body: MigrateRepository, settings: HostSettings) -> CloneSource:
    if body.clone_addr.startswith("/"):
        return allowed_local_source(body.clone_addr, settings.allow_paths)
    return remote_source(body.clone_addr, body.auth_username, body.auth_token or body.auth_password)
