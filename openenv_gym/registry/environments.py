"""The environments this project ships, as one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvironmentEntry:
    """One environment and where its parts are.

    Attributes:
        name: The part of the gymnasium id between ``openenv/`` and ``-v0``.
        summary: What it is, in a few words: a row of the README, a line of ``openenv-gym serve --help``.
        server: Its ASGI app as an import string.
        image: Its container image.
        extra: The extra of ``openenv-gym`` that installs it.
        max_episode_steps: The time limit of an episode without a natural end.
    """

    name: str
    summary: str
    server: str | None = None
    image: str | None = None
    extra: str | None = None
    max_episode_steps: int | None = None


def _openspiel(name: str, summary: str, game: str) -> EnvironmentEntry:
    """One game of OpenSpiel by itself, with numeric spaces of its own."""
    return EnvironmentEntry(name, summary, f"openspiel_env.server.games:{game}", extra="openspiel")


BUILT_IN = (
    EnvironmentEntry("Remote", "any server, by `base_url=`"),
    EnvironmentEntry(
        "Atari",
        "the games of the Arcade Learning Environment",
        "atari_env.server.app:app",
        "atari-env:latest",
        "atari",
    ),
    EnvironmentEntry(
        "BrowserGym",
        "web tasks in a real browser: MiniWoB's 125, WebArena",
        "browsergym_env.server.app:app",
        "browsergym-env:latest",
        "browsergym",
        max_episode_steps=30,
    ),
    EnvironmentEntry(
        "Chess",
        "chess against a random mover, Stockfish or oneself",
        "chess_env.server.app:app",
        "chess-env:latest",
        "chess",
    ),
    EnvironmentEntry(
        "Coding",
        "Python code in a sandboxed interpreter, fresh each episode",
        "coding_env.server.app:app",
        "coding-env:latest",
        "coding",
        max_episode_steps=100,
    ),
    EnvironmentEntry(
        "Connect4",
        "four in a row, by self-play or against an opponent",
        "connect4_env.server.app:app",
        "connect4-env:latest",
        "connect4",
    ),
    EnvironmentEntry(
        "Echo", "says it back", "echo_env.server.app:app", "echo-env:latest", "echo", max_episode_steps=100
    ),
    EnvironmentEntry(
        "Git",
        "a git workspace, fresh each episode",
        "git_env.server.app:app",
        "git-env:latest",
        "git",
        max_episode_steps=100,
    ),
    EnvironmentEntry(
        "GitTasks",
        "git tasks made from any repository",
        "git_tasks_env.server.app:app",
        "git-tasks-env:latest",
        "git-tasks",
    ),
    EnvironmentEntry(
        "OpenSpiel",
        "any game of OpenSpiel",
        "openspiel_env.server.app:app",
        "openspiel-env:latest",
        "openspiel",
    ),
    _openspiel("2048", "merge tiles", "2048"),
    _openspiel("Blackjack", "hit or stand, against the dealer", "blackjack"),
    _openspiel("Catch", "catch the falling ball", "catch"),
    _openspiel("CliffWalking", "a path along a cliff", "cliff_walking"),
    _openspiel("KuhnPoker", "poker with three cards", "kuhn_poker"),
    _openspiel("TicTacToe", "three in a row", "tic_tac_toe"),
    EnvironmentEntry(
        "REPL",
        "a notebook's kernel for long contexts",
        "repl_env.server.app:app",
        "repl-env:latest",
        "repl",
    ),
    EnvironmentEntry(
        "Snake",
        "eat fruit, grow, hit nothing",
        "snake_env.server.app:app",
        "snake-env:latest",
        "snake",
    ),
    EnvironmentEntry(
        "TextArena",
        "text games for one player or several",
        "textarena_env.server.app:app",
        "textarena-env:latest",
        "textarena",
        max_episode_steps=1000,
    ),
    EnvironmentEntry(
        "Wordle",
        "find the hidden word",
        "textarena_env.server.wordle:app",
        "textarena-env:latest",
        "textarena",
    ),
)
