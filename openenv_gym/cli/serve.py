"""`openenv-gym serve APP_OR_ENV`: runs an environment's server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from openenv_gym.errors import MissingExtraError
from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.server.engine_table import ENGINES
from openenv_gym.server.options import add_arguments as add_server_options

summary = "run an environment's server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument(
        "app",
        metavar="APP_OR_ENV",
        help="an environment of those below, another package's (my_env), another library's (ENGINE:ID), or "
        "an app as package.module:attribute",
    )
    add_server_options(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _overview()


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
    >>> app_path("Blackjack"), app_path("gymnasium:CartPole-v1")
    ('openspiel_env.server.games:blackjack', 'gymnasium:CartPole-v1')
    """
    if ":" in name:
        return name
    package = name.lower().replace("-", "_").removesuffix("_env")
    return _SERVED.get(package, f"{package}_env.server.app:app")


def _overview() -> str:
    """List what can be served by name."""
    summaries = {entry.name.lower(): entry.summary for entry in BUILT_IN if entry.server is not None}
    examples = {engine.example: engine.summary for engine in ENGINES}
    return "\n\n".join(
        [
            _table("environments:", dict(sorted(summaries.items()))),
            _table("engines, with options for the library as ENGINE:ID?key=value&key=value:", examples),
        ]
    )


def _table(title: str, rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in rows.items())])


_SERVED = {entry.name.lower(): entry.server for entry in BUILT_IN if entry.server is not None}
