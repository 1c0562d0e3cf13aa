"""Every `openenv-gym` command line that is shown somewhere is one: its options exist, and what it names."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from openenv_gym.cli import main as program
from openenv_gym.cli.build import sources_of
from openenv_gym.cli.commands import Command, find_commands, load_command
from openenv_gym.cli.serve import app_path
from openenv_gym.server import serve
from openenv_gym.server.engine_table import engine_of
from tests.documents import ROOT, documents

_PROGRAM = r"(?:openenv-gym|python -m openenv_gym\.server\.serve)"
# After a prompt, as a line of its own, or among words, there maybe over the end of a line.
_SHOWN = re.compile(rf"^(?:\$ |    )(?P<line>{_PROGRAM} .*)$|`(?P<words>{_PROGRAM}\s[^`]+)`", re.MULTILINE)


def shown_commands() -> list[tuple[str, str]]:
    """What users are told to type, and where."""
    settings = (ROOT / "servers").rglob(".env.example")
    files = [*documents(), *sorted(settings), *sorted((ROOT / "examples").glob("*.py"))]
    return [
        (file.relative_to(ROOT).as_posix(), " ".join((match["line"] or match["words"]).split()))
        for file in files
        for match in _SHOWN.finditer(file.read_text())
    ]


SHOWN = shown_commands()


class Parsed:
    """A subcommand that keeps the options it is given, and does nothing."""

    def __init__(self, command: Command) -> None:
        self.summary = command.summary
        self.add_arguments = command.add_arguments
        self.options: argparse.Namespace | None = None

    def run(self, options: argparse.Namespace) -> int:
        self.options = options
        return 0


def parse(shown: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, argparse.Namespace | None]:
    """A command line's subcommand and options, as the program reads them (``--help`` has none)."""
    words = [word for word in shlex.split(shown, comments=True) if word != "&"]
    name, *arguments = words[1:] if words[0] == "openenv-gym" else ["serve", *words[3:]]
    command = Parsed(load_command(find_commands()[name]))
    monkeypatch.setattr(program, "load_command", lambda point: command)
    monkeypatch.setattr(serve, "run", lambda app, options, **_: command.run(options))
    try:
        status = program.main([name, *arguments]) if words[0] == "openenv-gym" else serve.main(arguments)
    except SystemExit as end:
        assert end.code == 0, shown
        return name, None
    assert status == 0
    return name, command.options


@pytest.mark.parametrize(("file", "shown"), SHOWN)
def test_shown_command_is_one(file: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, options = parse(shown, monkeypatch)
    if options is not None and name == "build":
        for environment in options.environments:
            assert environment.isupper() or sources_of(environment)
    elif options is not None and name == "serve":
        app = app_path(options.app)
        module = Path("envs", *app.partition(":")[0].split(".")).with_suffix(".py")
        of_this_repository = (ROOT / "envs" / app.partition(".")[0]).is_dir()
        assert engine_of(app) is not None or not of_this_repository or (ROOT / module).is_file()


@pytest.mark.parametrize("shown", ["openenv-gym serve echo --prot 8000", "openenv-gym bild git"])
def test_what_is_none_is_found(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((SystemExit, KeyError, AssertionError)):
        parse(shown, monkeypatch)


def test_all_kinds_are_found() -> None:
    assert ("README.md", "openenv-gym serve gymnasium:CartPole-v1") in SHOWN
    assert ("envs/textarena_env/README.md", "openenv-gym build textarena") in SHOWN
    assert "examples/git_env_docker.py" in dict(SHOWN)
    assert {command.split()[0] for _, command in SHOWN} == {"openenv-gym", "python"}
