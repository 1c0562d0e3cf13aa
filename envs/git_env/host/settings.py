"""What an embedded git host allows, and where its bounds are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class HostLimits:
    """Bounds on one host; times in seconds, sizes in bytes.

    Attributes:
        migrate_seconds: How long one import may take.
        migrate_bytes: How large an imported repository may become.
        git_seconds: How long one clone, fetch or push may take.
        git_processes: How many clones, fetches and pushes are served at once.
        migrations: How many imports run at once.
        queue_seconds: How long a request waits for one of those places before it gets 503.
        push_bytes: Largest push.
        fetch_request_bytes: Largest body of a fetch request (the list of wanted and known commits).
        api_body_bytes: Largest body of an API request.
    """

    migrate_seconds: float = 600.0
    migrate_bytes: int = 2 << 30
    git_seconds: float = 600.0
    git_processes: int = 8
    migrations: int = 2
    queue_seconds: float = 60.0
    push_bytes: int = 512 << 20
    fetch_request_bytes: int = 32 << 20
    api_body_bytes: int = 1 << 20


@dataclass(frozen=True)
class HostSettings:
    """What a host's user may do.

    Attributes:
        allow_paths: Directories below which the API's ``repos/migrate`` may import local repositories.
        allow_push: Whether pushes over HTTP are taken.
        anonymous_read: Whether public repositories can be read without credentials, as on a public Gitea.
        limits: Bounds.
    """

    allow_paths: tuple[Path, ...] = ()
    allow_push: bool = False
    anonymous_read: bool = False
    limits: HostLimits = field(default_factory=HostLimits)
