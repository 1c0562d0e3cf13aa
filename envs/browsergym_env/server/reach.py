"""What a browser may load from: named web sites, and nothing else on any network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

from openenv_gym.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERYTHING = "*"


class Reach:
    """The sites of one benchmark.

    Chromium itself keeps to them: its resolver knows no other names or addresses, whatever asks (a link, a
    script, a WebSocket, the browser's own services).

    Args:
        sites: URLs (one origin each), hosts (with all their ports, ``*.example.org`` too), or ``*``.
        aliases: Where sites really are, by ``host:port``, for names that no resolver has.

    Raises:
        UsageError: A site is neither.
    """

    def __init__(self, sites: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        self._everything = False
        self._origins: dict[str, str] = {}
        self._hosts: list[str] = []
        for site in sites:
            self._add(site)
        for name, address in (aliases or {}).items():
            self._origins[name] = address

    def _add(self, site: str) -> None:
        if site == _EVERYTHING:
            self._everything = True
        elif "://" in site:
            origin = _origin(urlsplit(site))
            if origin is None:
                raise UsageError(f"{site!r} is no address of a web site, such as http://shop.example:7770")
            self._origins[origin] = origin
        elif all(mark not in site for mark in ",/@ ") and site:
            self._hosts.append(site)
        else:
            raise UsageError(f"{site!r} is neither a web site's address nor a host")

    def resolver_rules(self) -> str | None:
        """The value of Chromium's ``--host-resolver-rules``; ``None`` where everything can be reached."""
        if self._everything:
            return None
        rules = [f"EXCLUDE {host}" for host in self._hosts]
        rules += [f"MAP {name} {address}" for name, address in self._origins.items()]
        return ",".join([*rules, "MAP * ~NOTFOUND"])

    def check(self, url: str) -> None:
        """Let a web page's address pass if an agent may ask for it.

        Raises:
            ValueError: It may not: the message says why. No other kind of address passes: ``file:`` shows the
                server's files, ``javascript:`` and ``data:`` are code.
        """
        if url == "about:blank":
            return
        try:
            parts = urlsplit(url)
            origin = _origin(parts)
        except ValueError:
            parts, origin = SplitResult("", "", "", "", ""), None
        if origin is None:
            raise ValueError(f"only http and https addresses can be opened here, not {url[:200]!r}")
        if not self._everything and origin not in self._origins and not self._has_host(parts.hostname or ""):
            raise ValueError(f"{origin} cannot be reached from here; what can be: {self._named()}")

    def _has_host(self, host: str) -> bool:
        return any(
            host == known or (known.startswith("*.") and host.endswith(known[1:])) for known in self._hosts
        )

    def _named(self) -> str:
        return ", ".join([*self._origins, *self._hosts]) or "nothing"


def _origin(parts: SplitResult) -> str | None:
    """``host:port`` of a web address; ``None`` for any other."""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"
