"""`openenv-gym serve APP_OR_ENV`: runs an environment's server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from openenv_gym.errors import MissingExtraError
from openenv_gym.server.options import add_arguments as add_server_options

summary = "run an environment's server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument(
        "app",
        metavar="APP_OR_ENV",
        help="an installed environment (echo, git_env) or an app as package.module:attribute",
    )
    add_server_options(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    try:
        from openenv_gym.server import serve
    except ImportError as error:
        raise MissingExtraError("the server", "server") from error
    # A console script does not look where it is called, but `serve my_env:app` means a file that lies there
    sys.path.insert(0, str(Path.cwd()))
    return serve.run(app_path(options.app), options, program="openenv-gym serve")


def app_path(name: str) -> str:
    """Return the app that a name stands for.

    >>> app_path("git"), app_path("git-env"), app_path("my_package.api:app")
    ('git_env.server.app:app', 'git_env.server.app:app', 'my_package.api:app')
    """
    if ":" in name:
        return name
    package = name.replace("-", "_").removesuffix("_env")
    return f"{package}_env.server.app:app"
