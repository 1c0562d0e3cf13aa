"""The JSON shapes of Gitea's API, made from the host's own objects."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from git_env.host.accounts import Token
from git_env.host.history import Branch, Commit, Person
from git_env.host.repositories import Repository

Reply = dict[str, Any]


def moment(seconds: float) -> str:
    """Return seconds since the epoch in RFC 3339."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


class Replies:
    """Makes replies whose links lead back to the address that the client itself used.

    Args:
        base_url: That address.
        can_push: Whether the host takes pushes.
    """

    def __init__(self, base_url: str, *, can_push: bool) -> None:
        self._base = base_url.rstrip("/")
        self._can_push = can_push

    def user(self, name: str) -> Reply:
        """A user; the host has only administrators."""
        return {
            "id": 1,
            "login": name,
            "login_name": "",
            "full_name": "",
            "email": f"{name}@noreply.localhost",
            "html_url": f"{self._base}/{name}",
            "is_admin": True,
            "active": True,
            "visibility": "public",
            "username": name,
        }

    def repositories(self, repositories: Sequence[Repository]) -> list[Reply]:
        """A list of repositories, without those that are deleted meanwhile."""
        found = []
        for each in repositories:
            with contextlib.suppress(FileNotFoundError):
                found.append(self.repository(each))
        return found

    def repository(self, repository: Repository) -> Reply:
        """A repository; this reads files of it."""
        full_name = f"{repository.owner}/{repository.name}"
        return {
            "id": repository.id,
            "owner": self.user(repository.owner),
            "name": repository.name,
            "full_name": full_name,
            "description": repository.description,
            "empty": repository.empty,
            "private": repository.private,
            "fork": False,
            "template": False,
            "mirror": False,
            "archived": False,
            "internal": False,
            "size": repository.size // 1024,
            "url": f"{self._base}/api/v1/repos/{full_name}",
            "html_url": f"{self._base}/{full_name}",
            "clone_url": f"{self._base}/{full_name}.git",
            "ssh_url": "",
            "original_url": repository.original_url,
            "default_branch": repository.default_branch,
            "created_at": moment(repository.created_at),
            "updated_at": moment(repository.updated_at),
            "permissions": {"admin": True, "push": self._can_push, "pull": True},
        }

    def commit(self, repository: Repository, commit: Commit) -> Reply:
        """A commit as the commit lists give it."""
        api = f"{self._base}/api/v1/repos/{repository.owner}/{repository.name}/git"
        web = f"{self._base}/{repository.owner}/{repository.name}/commit"
        return {
            "url": f"{api}/commits/{commit.sha}",
            "sha": commit.sha,
            "created": commit.committer.date,
            "html_url": f"{web}/{commit.sha}",
            "commit": {
                "url": f"{api}/commits/{commit.sha}",
                "author": _commit_user(commit.author),
                "committer": _commit_user(commit.committer),
                "message": commit.message,
                "tree": {
                    "url": f"{api}/trees/{commit.tree}",
                    "sha": commit.tree,
                    "created": commit.committer.date,
                },
            },
            "author": None,
            "committer": None,
            "parents": [{"url": f"{api}/commits/{sha}", "sha": sha} for sha in commit.parents],
        }

    def branch(self, repository: Repository, branch: Branch) -> Reply:
        """A branch with its newest commit."""
        web = f"{self._base}/{repository.owner}/{repository.name}/commit"
        commit = branch.commit
        return {
            "name": branch.name,
            "commit": {
                "id": commit.sha,
                "message": commit.message,
                "url": f"{web}/{commit.sha}",
                "author": _payload_user(commit.author),
                "committer": _payload_user(commit.committer),
                "timestamp": commit.committer.date,
            },
            "protected": False,
            "user_can_push": self._can_push,
            "user_can_merge": self._can_push,
        }

    def token(self, token: Token, secret: str = "") -> Reply:
        """An access token; its secret only in the reply that creates it."""
        return {
            "id": token.id,
            "name": token.name,
            "sha1": secret,
            "token_last_eight": token.last_eight,
            "scopes": list(token.scopes),
            "created_at": moment(token.created_at),
        }


def _commit_user(person: Person) -> Reply:
    return {"name": person.name, "email": person.email, "date": person.date}


def _payload_user(person: Person) -> Reply:
    return {"name": person.name, "email": person.email, "username": ""}
