"""Which of the servers that a server names beside itself are followed, and by what address.

A server is trusted with what its user gave for its URL: a token, headers, actions. What it says may move
these to other ports of the same host and no further: a server that is mistaken or hostile can neither collect
credentials for another host nor aim its clients at one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from openenv_gym.errors import UsageError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.address import parse_address

logger = logging.getLogger(__name__)

_MOST = 256  # of one server; whoever names more is no server of this kind


def follow(endpoint: Endpoint, names: Iterable[int | str]) -> tuple[Endpoint, ...]:
    """Make endpoints of a server's siblings; logs which are not followed, and why.

    Args:
        endpoint: The server that named them, as it was dialled.
        names: Ports, which stand for the same URL with another port; or URLs.

    Returns:
        Those on the same host, with the same token, which were not reached over https before to be reached
        over http now; at most `_MOST`, the server itself not among them.
    """
    own = parse_address(endpoint.base_url).http
    found: dict[str, Endpoint] = {}
    for name in names:
        try:
            url = parse_address(_at_port(own, name) if isinstance(name, int) else name).http
        except (UsageError, ValueError) as error:
            logger.warning("%s names a sibling that has no address: %s", _shown(own), error)
            continue
        if (why := _objection(own, url)) is not None:
            logger.warning("%s names a sibling at %s, which is not used: %s", _shown(own), _shown(url), why)
        elif url != own and len(found) < _MOST:
            found[url] = Endpoint(url, endpoint.token)
    return tuple(found.values())


def _at_port(url: str, port: int) -> str:
    if not 0 < port < 65536:
        raise UsageError(f"{port} is no port")
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()


def _objection(own: str, url: str) -> str | None:
    mine, other = urlsplit(own), urlsplit(url)
    if mine.hostname != other.hostname:
        return "it is another host, to which neither token nor sessions go; add it to base_url= to use it"
    if (mine.scheme, other.scheme) == ("https", "http"):
        return "it is reached by http, and this server by https"
    return None


def _shown(url: str) -> str:
    return parse_address(url).shown
