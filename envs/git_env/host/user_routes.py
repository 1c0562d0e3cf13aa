"""API routes about the server and its user: version, health, who am I, access tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from git_env.host.accounts import Accounts
from git_env.host.context import CallerOf, Host, RepliesFor, RequestedPage
from git_env.host.errors import ForbiddenError, NotFoundError
from git_env.host.replies import Reply

# The Gitea whose API this is a part of; clients compare it.
API_VERSION = "1.24.0+openenv-gym"

router = APIRouter()


class CreateToken(BaseModel):
    """The body of ``POST /users/{username}/tokens``."""

    name: str
    scopes: list[str] = []


@router.get("/healthz")
async def health() -> Reply:
    """Tell that the host runs."""
    return {"status": "pass"}


@router.get("/v1/version")
async def version() -> Reply:
    """Return the version of the API."""
    return {"version": API_VERSION}


@router.get("/v1/user")
async def current_user(caller: CallerOf, replies: RepliesFor) -> Reply:
    """Return who is signed in."""
    identity = caller.signed_in()
    identity.require("user", write=False)
    return replies.user(identity.username)


def _own_accounts(host: Host, caller: CallerOf, username: str) -> Accounts:
    # A token must not make another token, or that one would outlive its revocation.
    if caller.signed_in().scopes is not None:
        raise ForbiddenError("auth method not allowed: use basic auth with the password")
    if username.lower() != host.access.accounts.username.lower():
        raise NotFoundError
    return host.access.accounts


OwnAccounts = Annotated[Accounts, Depends(_own_accounts)]


@router.get("/v1/users/{username}/tokens")
async def list_tokens(
    request: Request, accounts: OwnAccounts, replies: RepliesFor, page: RequestedPage
) -> JSONResponse:
    """List access tokens, without their secrets."""
    tokens = accounts.tokens()
    body = [replies.token(token) for token in page.cut(tokens)]
    return JSONResponse(body, headers=page.headers(request.url, len(tokens)))


@router.post("/v1/users/{username}/tokens", status_code=201)
async def create_token(accounts: OwnAccounts, replies: RepliesFor, body: CreateToken) -> Reply:
    """Create an access token; it lives as long as the host runs."""
    token, secret = accounts.create_token(body.name, body.scopes)
    return replies.token(token, secret)


@router.delete("/v1/users/{username}/tokens/{token}", status_code=204)
async def delete_token(accounts: OwnAccounts, token: str) -> Response:
    """Revoke an access token, by name or id."""
    accounts.delete_token(token)
    return Response(status_code=204)
