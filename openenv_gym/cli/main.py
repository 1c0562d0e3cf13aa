"""The program `openenv-gym`: picks a subcommand, gives it its arguments, turns errors into messages."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint

import openenv_gym
from openenv_gym.cli.commands import find_commands, load_command
from openenv_gym.errors import OpenEnvGymError

_PROGRAM = "openenv-gym"
_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; None takes the process's own.

    Returns:
        The exit status: 0 done, 1 failed, 2 misused.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = find_commands()
    name = _top_level(given[:1], commands)
    if name not in commands:
        sys.stderr.write(f"{_PROGRAM}: there is no command {name!r}{_suggestion(name, commands)}\n")
        return _MISUSED
    command = load_command(commands[name])
    parser = argparse.ArgumentParser(prog=f"{_PROGRAM} {name}", description=command.summary)
    command.add_arguments(parser)
    options = parser.parse_args(given[1:])
    try:
        return command.run(options)
    except OpenEnvGymError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _top_level(first: Sequence[str], commands: Mapping[str, EntryPoint]) -> str:
    """Return the subcommand's name; ends the program after ``--help`` and ``--version``."""
    wants_help = not first or first[0] in ("-h", "--help")
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Any OpenEnv server as a gymnasium env: serve environments, run what they need.",
        epilog=_overview(commands) if wants_help else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {openenv_gym.__version__}")
    parser.add_argument("command", help=f"what to do; '{_PROGRAM} COMMAND --help' explains it")
    return str(parser.parse_args(first or ["--help"]).command)


def _overview(commands: Mapping[str, EntryPoint]) -> str:
    width = max(map(len, commands))
    lines = ["commands:"]
    for name, point in commands.items():
        try:
            summary = load_command(point).summary
        except (ImportError, AttributeError) as error:
            summary = f"(cannot be loaded: {error})"
        lines.append(f"  {name:<{width}}  {summary}")
    return "\n".join(lines)


def _suggestion(name: str, commands: Mapping[str, EntryPoint]) -> str:
    close = difflib.get_close_matches(name, commands, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(commands)}"


if __name__ == "__main__":
    sys.exit(main())
