"""Serves the project's git host with what Gitea has beside it: users whose password can be changed.

Nobody knows the one user's password until ``gitea admin user create``, in the same container, tells it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Request

from git_env.host.accounts import Accounts
from git_env.host.app import create_host_app
from git_env.host.context import CallerOf
from git_env.host.repositories import RepositoryStore
from git_env.host.settings import HostSettings

_DATA = Path("/var/lib/gitea")
_USER = _DATA / "user.json"


def main() -> None:
    """Serve until SIGTERM; repositories and the user outlive it."""
    settings = HostSettings(allow_paths=(Path("/repositories"),))
    if not _USER.exists():
        _write_user({"username": "gitea", "password": secrets.token_urlsafe(9), "created": False})
    store = RepositoryStore(_DATA / "repositories", settings)
    app = create_host_app(store, _accounts(), settings)

    @app.patch("/api/v1/admin/users/{username}")
    async def edit_user(username: str, request: Request, caller: CallerOf) -> dict[str, Any]:
        caller.signed_in().require("admin", write=True)
        changes = await request.json()
        user = json.loads(_USER.read_text())
        assert username == user["username"] == changes["login_name"]
        _write_user({**user, "password": changes["password"]})
        app.state.host.access.accounts = _accounts()
        return {"login": username}

    listener = socket.create_server(("0.0.0.0", 3000))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off"))
    try:
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        store.close()


def _accounts() -> Accounts:
    user = json.loads(_USER.read_text())
    return Accounts(user["username"], user["password"])


def _write_user(user: dict[str, Any]) -> None:
    new = _USER.with_suffix(".new")
    new.write_text(json.dumps(user))
    new.replace(_USER)


if __name__ == "__main__":
    main()
