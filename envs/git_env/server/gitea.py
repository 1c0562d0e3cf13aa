"""GiteaClient: which repositories a Gitea-compatible host has.

Credentials travel only in the Authorization header, and only to the address that was configured: what the
host calls a repository's clone URL is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from git_env.network import is_loopback

_MAX_PAGES = 10_000
_FULL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_.-]+\Z")


class GitHostError(Exception):
    """The git host cannot be reached, or does not answer as Gitea does. Holds no credential."""


@dataclass(frozen=True)
class Repository:
    """One repository of the host.

    Attributes:
        name: Without the owner.
        full_name: ``owner/name``.
        description: As its owner wrote it.
        default_branch: What a clone checks out.
    """

    name: str
    full_name: str
    description: str
    default_branch: str


class GiteaClient:
    """Speaks the small part of Gitea's API that the environment needs.

    Args:
        url: The host's address, without credentials.
        username: "" for anonymous access.
        password: Password or access token.
        timeout: Seconds for one request.
        page_size: Repositories to ask for at once; Gitea gives at most 50 by default.
    """

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        *,
        timeout: float = 15.0,
        page_size: int = 50,
    ) -> None:
        self.url = url
        self._page_size = page_size
        auth = httpx.BasicAuth(username, password) if username else None
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            auth=auth,
            timeout=timeout,
            follow_redirects=False,  # one could carry the credentials elsewhere
            trust_env=not is_loopback(url),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> GiteaClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def repositories(self) -> list[Repository]:
        """Every repository these credentials can see, all pages, sorted by full name.

        Raises:
            GitHostError: The host did not answer as Gitea does.
        """
        found = {repository.full_name: repository for repository in self._pages()}
        return [found[name] for name in sorted(found)]

    def find(self, full_name: str) -> Repository | None:
        """One repository by ``owner/name``; None when there is none, or none to see, or it was renamed.

        Raises:
            GitHostError: The host did not answer as Gitea does.
        """
        if not _FULL_NAME.match(full_name):
            return None
        reply = self._send(f"/repos/{quote(full_name)}")
        return None if reply.status_code == 404 or reply.is_redirect else _repository(self._json(reply))

    def _pages(self) -> Iterator[Repository]:
        """Walk the pages to the end that the host names, or until one is empty.

        A page that is not full is no end: a host may give fewer items than were asked for.
        """
        seen = 0
        for page in range(1, _MAX_PAGES):
            reply = self._send("/repos/search", {"page": page, "limit": self._page_size, "sort": "alpha"})
            items = self._json(reply).get("data")
            if not isinstance(items, list):
                raise GitHostError(f"{self.url} answered /repos/search without a list; is it Gitea?")
            for item in items:
                repository = _repository(item)
                if repository is not None:
                    yield repository
            seen += len(items)
            total = reply.headers.get("X-Total-Count", "")
            if not items or (total.isdecimal() and seen >= int(total)):
                return

    def _send(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        try:
            return self._http.get(path, params=params)
        except httpx.HTTPError as error:
            raise GitHostError(
                f"no git host answers at {self.url} ({type(error).__name__}); check GITEA_URL"
            ) from None

    def _json(self, reply: httpx.Response) -> dict[str, Any]:
        if reply.status_code in (401, 403):
            raise GitHostError(
                f"{self.url} refused the credentials (HTTP {reply.status_code}); "
                "check GITEA_USERNAME and GITEA_PASSWORD"
            )
        try:
            body = reply.json() if reply.status_code == 200 else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise GitHostError(f"{self.url} answered HTTP {reply.status_code}, not as Gitea does")
        return body


def _repository(item: Any) -> Repository | None:
    """Read one entry; names become paths later, so one with an impossible name is left out."""
    full_name = item.get("full_name") if isinstance(item, dict) else None
    if not isinstance(full_name, str) or not _FULL_NAME.match(full_name):
        return None
    name = full_name.partition("/")[2]
    if name in (".", "..") or name.lower() == ".git":
        return None
    return Repository(
        name=name,
        full_name=full_name,
        description=str(item.get("description") or ""),
        default_branch=str(item.get("default_branch") or "main"),
    )
