"""Gitea's paging: `page` and `limit` in, `X-Total-Count` and `Link` headers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.datastructures import URL

DEFAULT_LIMIT = 30
MAX_LIMIT = 50

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Page:
    """One page of a list; numbers that make no sense become the default, as in Gitea.

    Attributes:
        number: Starts at 1.
        limit: Items a page, at most 50.
    """

    number: int
    limit: int

    @classmethod
    def of(cls, number: int, limit: int) -> Page:
        """Return the page that a request asks for."""
        return cls(max(number, 1), min(limit, MAX_LIMIT) if limit > 0 else DEFAULT_LIMIT)

    @property
    def skip(self) -> int:
        """How many items come before it."""
        return (self.number - 1) * self.limit

    def cut(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Return the page's part of a whole list."""
        return items[self.skip : self.skip + self.limit]

    def count(self, total: int) -> int:
        """Return how many pages ``total`` items fill."""
        return -(-total // self.limit)

    def headers(self, url: URL, total: int) -> dict[str, str]:
        """Return the headers of a reply.

        Args:
            url: The request's own.
            total: Items in all pages.
        """
        last = max(1, self.count(total))
        targets: dict[str, int] = {}
        if self.number < last:
            targets |= {"next": self.number + 1, "last": last}
        if self.number > 1:
            targets |= {"first": 1, "prev": min(self.number - 1, last)}
        links = ",".join(
            f'<{url.include_query_params(page=number, limit=self.limit)}>; rel="{relation}"'
            for relation, number in targets.items()
        )
        headers = {"X-Total-Count": str(total), "Access-Control-Expose-Headers": "Link, X-Total-Count"}
        return headers | ({"Link": links} if links else {})
