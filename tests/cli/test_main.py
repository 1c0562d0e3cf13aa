"""The `openenv-gym` program: finding subcommands, help, errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from openenv_gym.cli.main import main
from openenv_gym.cli.serve import app_path
from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.server.engine_table import ENGINES

_PLUGIN = """
from openenv_gym.errors import UsageError

summary = "greet somebody"

def add_arguments(parser):
    parser.add_argument("name")

def run(options):
    if options.name == "nobody":
        raise UsageError("nobody is not greeted")
    if options.name == "everybody":
        raise KeyboardInterrupt
    print(f"hello {options.name}")
    return 7
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installed packages: one contributes `greet` and tries to replace `serve`, one is broken."""
    points = {
        "greeter": "greet = greeting_command\nserve = greeting_command\n",
        "broken": "smash = no_such_module\n",
    }
    for name, text in points.items():
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[openenv_gym.commands]\n{text}")
    (tmp_path / "greeting_command.py").write_text(_PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "greeting_command", raising=False)


@pytest.mark.usefixtures("plugins")
class TestContributedCommands:
    def test_its_exit_status_and_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["greet", "Ada"]) == 7
        assert capsys.readouterr().out == "hello Ada\n"

    def test_our_errors_become_messages(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["greet", "nobody"]) == 1
        assert capsys.readouterr().err == "openenv-gym greet: nobody is not greeted\n"

    def test_an_interrupt_is_not_a_traceback(self) -> None:
        assert main(["greet", "everybody"]) == 130

    @pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
    def test_help_lists_all_even_the_broken(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out = capsys.readouterr().out
        assert end.value.code == 0
        assert "greet  " in out and "greet somebody" in out
        assert "smash" in out and "cannot be loaded" in out
        assert "run an environment's server" in out  # ours, not the package's

    def test_a_misspelt_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["gret"]) == 2
        assert "did you mean 'greet'?" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out.startswith("openenv-gym ")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("git", "git_env.server.app:app"),
        ("git_env", "git_env.server.app:app"),
        ("git-env", "git_env.server.app:app"),
        ("echo", "echo_env.server.app:app"),
        ("my.module:make", "my.module:make"),
        ("Blackjack", "openspiel_env.server.games:blackjack"),
        ("gymnasium:CartPole-v1?sutton_barto_reward=true", "gymnasium:CartPole-v1?sutton_barto_reward=true"),
    ],
)
def test_what_serve_serves(name: str, path: str) -> None:
    assert app_path(name) == path


def test_serve_lists_what_can_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    out = capsys.readouterr().out
    for entry in BUILT_IN:
        assert entry.server is None or re.search(
            rf"^  {entry.name.lower()} +{re.escape(entry.summary)}$", out, re.M
        )
    for engine in ENGINES:
        assert re.search(rf"^  {engine.example} +{re.escape(engine.summary)}$", out, re.M)
        assert engine.example.startswith(f"{engine.name}:")


def test_serve_says_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "no-such", "--port", "0"]) == 2
    assert "no_such_env" in capsys.readouterr().err


def test_the_program_is_light() -> None:
    """Help needs no server stack."""
    code = (
        "import sys, openenv_gym.cli.main, openenv_gym.cli.serve; "
        "sys.exit(bool({'fastapi', 'uvicorn', 'starlette', 'httpx', 'websockets'} & set(sys.modules)))"
    )
    environ = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environ, timeout=60).returncode == 0
