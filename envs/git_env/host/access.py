"""Who may see and change what on the host."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers

from git_env.host.accounts import Accounts, Identity
from git_env.host.errors import NotFoundError, UnauthorizedError
from git_env.host.repositories import Repository, RepositoryStore


@dataclass(frozen=True)
class Caller:
    """The sender of one request; ``identity`` is None without credentials."""

    identity: Identity | None
    anonymous_read: bool

    def signed_in(self) -> Identity:
        """Return who it is.

        Raises:
            UnauthorizedError: No credentials were sent.
        """
        if self.identity is None:
            raise UnauthorizedError("Sign in: send basic auth, or 'Authorization: token ...'")
        return self.identity

    def may_read(self) -> None:
        """Check that the caller may look at repositories at all.

        Raises:
            UnauthorizedError: Credentials are needed.
            ForbiddenError: The token is for something else.
        """
        if self.identity is not None or not self.anonymous_read:
            self.signed_in().require("repository", write=False)

    def sees(self, repository: Repository) -> bool:
        """Tell whether a repository exists as far as this caller knows."""
        return self.identity is not None or not repository.private

    def readable(self, store: RepositoryStore, owner: str, name: str) -> Repository:
        """Return a repository that the caller may read.

        Raises:
            NotFoundError: There is none, or it is private.
            UnauthorizedError: Credentials are needed.
        """
        self.may_read()
        repository = store.get(owner, name)
        if not self.sees(repository):
            raise NotFoundError
        return repository


class Access:
    """Turns request headers into callers."""

    def __init__(self, accounts: Accounts, *, anonymous_read: bool) -> None:
        self.accounts = accounts
        self._anonymous_read = anonymous_read

    def caller(self, headers: Headers) -> Caller:
        """Return who sent a request.

        Raises:
            UnauthorizedError: Wrong credentials were sent; they are never treated as none.
        """
        return Caller(self.accounts.authenticate(headers.get("authorization")), self._anonymous_read)
