"""API routes that read a repository's branches and commits."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from git_env.host.context import HistoryOf, Readable, RepliesFor, RequestedPage
from git_env.host.errors import ConflictError
from git_env.host.replies import Reply

router = APIRouter(prefix="/v1/repos/{owner}/{repo}")


@router.get("/branches")
async def list_branches(
    request: Request, repository: Readable, history: HistoryOf, replies: RepliesFor, page: RequestedPage
) -> JSONResponse:
    """List branches by name."""
    branches, total = await history.branches(skip=page.skip, limit=page.limit)
    body = [replies.branch(repository, branch) for branch in branches]
    return JSONResponse(body, headers=page.headers(request.url, total))


@router.get("/branches/{branch:path}")
async def get_branch(branch: str, repository: Readable, history: HistoryOf, replies: RepliesFor) -> Reply:
    """Return one branch."""
    return replies.branch(repository, await history.branch(branch))


@router.get("/commits")
async def list_commits(
    request: Request,
    repository: Readable,
    history: HistoryOf,
    replies: RepliesFor,
    page: RequestedPage,
    sha: str | None = None,
    path: str | None = None,
) -> JSONResponse:
    """List commits backwards from a branch, tag or hash; with ``path``, those that change that file."""
    if repository.empty:
        raise ConflictError("Git Repository is empty.")
    start = await history.resolve(sha or None)
    total = await history.count(start, path)
    commits = await history.commits(start, skip=page.skip, limit=page.limit, path=path)
    body = [replies.commit(repository, commit) for commit in commits]
    pages = page.count(total)
    # Gitea repeats the paging of this one list in headers of its own.
    headers = page.headers(request.url, total) | {
        "X-Page": str(page.number),
        "X-PerPage": str(page.limit),
        "X-Total": str(total),
        "X-PageCount": str(pages),
        "X-HasMore": str(page.number < pages).lower(),
    }
    return JSONResponse(body, headers=headers)


@router.get("/git/commits/{sha}")
async def get_commit(sha: str, repository: Readable, history: HistoryOf, replies: RepliesFor) -> Reply:
    """Return one commit, by branch, tag or hash."""
    commits = await history.commits(await history.resolve(sha), skip=0, limit=1)
    return replies.commit(repository, commits[0])
