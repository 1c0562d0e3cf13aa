"""`openenv-gym git-host`: runs the embedded git host until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
from pathlib import Path

from git_env.host.git_host import GitHost
from git_env.host.settings import HostSettings
from openenv_gym.errors import OpenEnvGymError, UsageError

summary = "run a small git server with the part of Gitea's API that the Git environment needs"

_CREDENTIALS = "credentials.env"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on, 0 for a free one")
    parser.add_argument(
        "--root", type=Path, help="folder to keep repositories in (default: removed at the end)"
    )
    parser.add_argument(
        "--import",
        dest="imports",
        metavar="PATH_OR_URL",
        action="append",
        default=[],
        help="import a checkout, a bare repository or a URL while starting; may be repeated",
    )
    parser.add_argument(
        "--allow-path",
        dest="allow_paths",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="let API users import local repositories below this folder; may be repeated",
    )
    parser.add_argument("--allow-push", action="store_true", help="take pushes")
    parser.add_argument("--anonymous-read", action="store_true", help="show public repositories to everybody")
    parser.add_argument("--username", default=os.environ.get("GITEA_USERNAME", "gitea"), help="the one user")
    parser.add_argument(
        "--password",
        default=os.environ.get("GITEA_PASSWORD"),
        help="every user of this machine can read it here: better set GITEA_PASSWORD (default: a random one)",
    )
    parser.add_argument("--credentials-file", type=Path, help="where to write URL and credentials")


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    _configure_logging()
    # One way out for both: the `with` below ends git processes and removes the private folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = HostSettings(
        allow_paths=tuple(options.allow_paths),
        allow_push=options.allow_push,
        anonymous_read=options.anonymous_read,
    )
    host = GitHost(
        host=options.host,
        port=options.port,
        root=options.root,
        username=options.username,
        password=options.password,
        imports=options.imports,
        settings=settings,
        log_requests=True,
    )
    try:
        with host:
            _announce(host, _write_credentials(host, options.credentials_file), options.password is None)
            host.wait()
    except KeyboardInterrupt:
        return 0
    raise OpenEnvGymError("the git host ended by itself; its log says why")


def _write_credentials(host: GitHost, path: Path | None) -> Path:
    """Write URL and credentials where only this user can read them."""
    if path is None:
        assert host.root is not None
        path = host.root / _CREDENTIALS
    if not host.password.isprintable() or "'" in host.password:
        raise UsageError("the password must be printable and hold no single quote")
    lines = (
        f"GITEA_URL={host.url}\n",
        f"GITEA_USERNAME={host.username}\n",
        f"GITEA_PASSWORD={shlex.quote(host.password)}\n",
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # it may have existed with another mode
        file.writelines(lines)
    return path


def _announce(host: GitHost, credentials: Path, generated: bool) -> None:
    names = ", ".join(f"{each.owner}/{each.name}" for each in host.repositories())
    lines = [f"git host ready at {host.url}", f"  repositories  {names}", f"  user          {host.username}"]
    if generated and sys.stdout.isatty():  # never into a log file
        lines.append(f"  password      {host.password}  (generated; not shown again)")
    lines += [
        f"  credentials   {credentials}  (readable by you only)",
        f"  in a shell    set -a; . '{credentials}'; set +a",
    ]
    print("\n".join(lines), flush=True)


class _WithoutQuery(logging.Filter):
    """Drops the query from request lines: some Gitea clients put tokens there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each.partition("?")[0] if isinstance(each, str) else each for each in record.args
            )
        return True


def _configure_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # its start and stop say nothing new
    logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
