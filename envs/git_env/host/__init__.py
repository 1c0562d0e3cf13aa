"""An embedded git host: Gitea's API, as far as the Git environment needs it, over `git http-backend`."""

from __future__ import annotations

from git_env.host.git_host import GitHost
from git_env.host.settings import HostLimits, HostSettings

__all__ = ["GitHost", "HostLimits", "HostSettings"]
