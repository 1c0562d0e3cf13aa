"""How this machine reaches a network, as its operator has it, for git processes that inherit nothing else."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_AUTHORITIES = ("GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")
_PROXIES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine's loopback, which no proxy can reach."""
    return urlsplit(url).hostname in _LOOPBACK


def network_environ(*, proxies: bool = True) -> dict[str, str]:
    """The variables that name certificate authorities and, where they are wanted, proxies."""
    names = _AUTHORITIES + _PROXIES if proxies else _AUTHORITIES
    return {name: os.environ[name] for name in names if name in os.environ}
