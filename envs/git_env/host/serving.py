"""Runs the host's application on uvicorn and tells when it is up."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from git_env.host.accounts import Accounts
from git_env.host.app import create_host_app
from git_env.host.repositories import RepositoryStore
from git_env.host.settings import HostSettings

# Long enough for a reply that is being written; a clone that takes longer is cut off.
_GRACE_SECONDS = 1


class HostServer(uvicorn.Server):
    """A uvicorn server that reports when it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then report."""
        await super().startup(sockets)
        self._on_ready()


def make_server(
    store: RepositoryStore,
    accounts: Accounts,
    settings: HostSettings,
    *,
    on_ready: Callable[[], None],
    log_requests: bool,
) -> HostServer:
    """Return a server for a store; ``await server.serve(sockets=[...])`` runs it."""
    config = uvicorn.Config(
        create_host_app(store, accounts, settings),
        log_config=None,  # logging belongs to the program
        access_log=log_requests,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return HostServer(config, on_ready)
