"""What every API route can ask for: the store, the caller, the repository in the path, the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from git_env.host.access import Access, Caller
from git_env.host.accounts import Identity
from git_env.host.history import History
from git_env.host.paging import DEFAULT_LIMIT, Page
from git_env.host.replies import Replies
from git_env.host.repositories import Repository, RepositoryStore
from git_env.host.settings import HostSettings


@dataclass(frozen=True)
class HostContext:
    """The parts of one host, kept as ``app.state.host``."""

    store: RepositoryStore
    access: Access
    settings: HostSettings


def _host(request: Request) -> HostContext:
    context = request.app.state.host
    assert isinstance(context, HostContext)
    return context


Host = Annotated[HostContext, Depends(_host)]


def _caller(request: Request, host: Host) -> Caller:
    return host.access.caller(request.headers)


CallerOf = Annotated[Caller, Depends(_caller)]


def _reader(caller: CallerOf) -> Identity:
    identity = caller.signed_in()
    identity.require("repository", write=False)
    return identity


def _writer(caller: CallerOf) -> Identity:
    identity = caller.signed_in()
    identity.require("repository", write=True)
    return identity


Reader = Annotated[Identity, Depends(_reader)]
Writer = Annotated[Identity, Depends(_writer)]


def _readable(host: Host, caller: CallerOf, owner: str, repo: str) -> Repository:
    return caller.readable(host.store, owner, repo)


Readable = Annotated[Repository, Depends(_readable)]


def _history(host: Host, repository: Readable) -> History:
    return History(repository, host.store.git)


HistoryOf = Annotated[History, Depends(_history)]


def _page(page: Annotated[int, Query()] = 1, limit: Annotated[int, Query()] = DEFAULT_LIMIT) -> Page:
    return Page.of(page, limit)


RequestedPage = Annotated[Page, Depends(_page)]


def _replies(request: Request, host: Host) -> Replies:
    return Replies(str(request.base_url), can_push=host.settings.allow_push)


RepliesFor = Annotated[Replies, Depends(_replies)]
