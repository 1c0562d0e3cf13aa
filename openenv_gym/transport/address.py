"""A server's address as people write it -> the URLs that HTTP and WebSocket clients need."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from openenv_gym.errors import UsageError

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        http: For HTTP requests, without a trailing slash: ``http://host:8000/prefix``.
        ws: The same place as a WebSocket client needs it: ``ws://host:8000/prefix``.
        is_loopback: Whether it is this machine, so that no proxy must come between.
        shown: For messages: ``http`` without the user name and password it may carry.
    """

    http: str = field(repr=False)
    ws: str = field(repr=False)
    is_loopback: bool
    shown: str


def parse_address(base_url: str) -> Address:
    """Accept ``http(s)://``, ``ws(s)://`` and bare ``host:port``, each with or without a path prefix.

    Raises:
        UsageError: It names no host, another scheme, a port that is none, or carries a query or fragment.
    """
    text = base_url.strip()
    if not _HAS_SCHEME.match(text):
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"a base_url that is no URL: {error}") from None
    scheme = parts.scheme.lower()
    shown_netloc = parts.netloc.rpartition("@")[2]
    if scheme not in _SECURE:
        raise UsageError(f"a base_url starts with http://, https://, ws:// or wss://, not {scheme}://")
    if not host or port == 0:
        raise UsageError(
            f"a base_url names a host, as in http://localhost:8000; got {scheme}://{shown_netloc}"
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"a base_url has no query and no fragment: use {scheme}://{shown_netloc}{parts.path}"
        )
    path = parts.path.rstrip("/")
    http, ws = ("https", "wss") if _SECURE[scheme] else ("http", "ws")
    return Address(
        http=f"{http}://{parts.netloc}{path}",
        ws=f"{ws}://{parts.netloc}{path}",
        is_loopback=_is_loopback(host),
        shown=f"{http}://{shown_netloc}{path}",
    )


def _is_loopback(host: str) -> bool:
    """Judge the host itself: ``localhost.example.org`` and ``127.0.0.1.example.org`` are elsewhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
