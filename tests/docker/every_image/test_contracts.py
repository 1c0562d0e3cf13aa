"""Every environment keeps what it promises in a container of its image, with `DockerProvider`'s defaults."""

from __future__ import annotations

import pytest

from openenv_gym.images import known_packages
from tests.docker.contracts import InContainers
from tests.envs.chess import test_contract as chess
from tests.envs.coding import test_contract as coding
from tests.envs.connect4 import test_contract as connect4
from tests.envs.echo import test_contract as echo
from tests.envs.git import test_contract as git
from tests.envs.git_tasks import test_contract as git_tasks
from tests.envs.repl import test_contract as repl
from tests.envs.snake import test_contract as snake
from tests.full.envs.atari import test_contract as atari
from tests.full.envs.browsergym import test_contract as browsergym
from tests.full.envs.openspiel import test_contract as openspiel
from tests.full.envs.textarena import test_contract as textarena
from tests.full.stockfish import test_stockfish as stockfish

_SANDBOX = frozenset({"metadata.sandbox"})  # in a container it is Landlock, as there bubblewrap cannot work
pytestmark = pytest.mark.timeout(1800)  # the first test of an image builds it, and what it stands on


class TestAtariPixels(InContainers, atari.TestPixels):
    image = "atari"


class TestAtariMemory(InContainers, atari.TestMemory):
    image = "atari"


class TestBrowserGym(InContainers, browsergym.TestBrowserGym):
    image = "browsergym"


class TestChess(InContainers, chess.TestChess):
    image = "chess"


class TestStockfish(InContainers, stockfish.TestAgainstStockfish):
    image = "chess"


class TestCoding(InContainers, coding.TestCoding):
    image = "coding"
    ignore = coding.TestCoding.ignore | _SANDBOX


class TestConnect4(InContainers, connect4.TestConnect4):
    image = "connect4"


class TestEcho(InContainers, echo.TestEcho):
    image = "echo"


class TestGit(InContainers, git.TestGit):
    image = "git"


class TestGitTasks(InContainers, git_tasks.TestGitTasks):
    image = "git_tasks"


class TestLeducPoker(InContainers, openspiel.TestLeducPoker):
    image = "openspiel"


class TestBlackjack(InContainers, openspiel.TestBlackjack):
    image = "openspiel"


class TestREPL(InContainers, repl.TestREPL):
    image = "repl"
    ignore = repl.TestREPL.ignore | _SANDBOX


class TestSnake(InContainers, snake.TestSnake):
    image = "snake"


class TestWordle(InContainers, textarena.TestWordle):
    image = "textarena"


class TestTextArena(InContainers, textarena.TestAgainstAnOpponent):
    image = "textarena"


def test_no_environment_is_left_out() -> None:
    played = {f"{contract.image}_env" for contract in InContainers.__subclasses__()}
    assert played >= set(known_packages())
