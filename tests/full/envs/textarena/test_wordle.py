"""Wordle: offline, its outcomes and signals, and what the state keeps to itself."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from textarena_env import TextArenaAction, TextArenaObservation
from textarena_env.server.textarena_environment import TextArenaEnvironment
from textarena_env.server.words import common_nouns, english, nouns

WORD_GAMES = (
    "Wordle-v0",
    "Wordle-v0-long-hardcore",
    "Hangman-v0-hardcore",
    "WordChains-v0",
    "SpellingBee-v0",
    "DontSayIt-v0",
    "Codenames-v0",
    "LetterAuction-v0",
    "WordSearch-v0",
    "WordLadder-v0",
    "Crosswords-v0",
)
OTHERS = ("crane", "slate", "audio", "nymph", "befog", "jiffy", "vivid")


def say(environment: TextArenaEnvironment, message: str) -> TextArenaObservation:
    return environment.step(TextArenaAction(message=message))


def started(seed: int = 1, **options: Any) -> tuple[TextArenaEnvironment, str]:
    """A game, and its secret."""
    environment = TextArenaEnvironment(reveal_state=True)
    environment.reset(seed=seed, **options)
    return environment, environment.state.raw_state["game_state"]["secret_word"]


def wrong_guesses(secret: str) -> list[str]:
    return [f"[{word}]" for word in OTHERS if word != secret]


def test_a_win() -> None:
    environment, secret = started()
    first = say(environment, wrong_guesses(secret)[0])
    assert (first.reward, first.done, first.info["outcome"]) == (0.0, False, "ongoing")
    assert "Feedback:" in first.messages[0].content
    last = say(environment, f"It must be [{secret.upper()}].")
    assert (last.reward, last.done, last.truncated) == (1.0, True, False)
    assert last.info["outcome"] == last.metadata["outcome"] == "win"
    assert last.info["reward_signals"] == {
        "wordle.greens": 1.0,
        "wordle.yellows": 0.0,
        "wordle.repetitions": 1.0,
        "wordle.correct": 1.0,
    }


def test_a_loss_is_told_from_its_partial_credit() -> None:
    environment, secret = started(word_length=4)
    shared = next(word for word in english() if word != secret and len(word) == 4 and word[:3] == secret[:3])
    wrong = [f"[{word}]" for word in ("jump", "quiz", "able", "torn", "yelp", "rock") if word != secret][:5]
    *_, last = [say(environment, guess) for guess in [*wrong, f"[{shared}]"]]
    assert last.done
    assert last.info["outcome"] == "loss"
    assert last.reward == 0.75
    assert secret in last.info["reason"]


@pytest.mark.parametrize("message", ["no brackets, four words", "[four]", "[zzzzz]", "[]", "[\x00]"])
def test_an_invalid_guess_is_forgiven_once(message: str) -> None:
    environment, secret = started()
    first = say(environment, message)
    assert (first.done, first.info["outcome"], first.info["invalid_move"]) == (False, "ongoing", True)
    assert "invalid move" in first.messages[0].content
    assert first.info["reward_signals"]["wordle.greens"] == 0
    good = say(environment, wrong_guesses(secret)[0])
    assert (good.done, good.info["invalid_move"]) == (False, False)
    say(environment, message)
    last = say(environment, message)
    assert (last.done, last.info["outcome"]) == (True, "invalid")


def test_signals_count_letters_and_repetitions() -> None:
    environment, secret = started(seed=3)
    assert secret == "knack", "the list of words or the way games draw from it has changed"
    signals = say(environment, "[crane]").info["reward_signals"]
    assert signals["wordle.greens"] == 0.2  # a
    assert signals["wordle.yellows"] == 0.4  # c, n
    again = say(environment, "[crane]").info["reward_signals"]
    assert (again["wordle.greens"], again["wordle.repetitions"]) == (0.0, 0.0)


def test_options_of_the_game() -> None:
    environment, secret = started(word_length=7, num_guesses=2)
    assert len(secret) == 7
    ends = [say(environment, f"[{word}]").done for word in ("abandon", "zealous")]
    assert ends == [False, True]


def test_the_state_hides_the_secret_until_the_end() -> None:
    _, secret = started(seed=9)
    environment = TextArenaEnvironment()
    environment.reset(seed=9, episode_id="nine")
    say(environment, wrong_guesses(secret)[0])
    assert secret not in environment.state.model_dump_json()
    assert (environment.state.turn, environment.state.step_count, environment.state.episode_id) == (
        1,
        1,
        "nine",
    )
    say(environment, f"[{secret}]")
    assert environment.state.raw_state["game_state"]["secret_word"] == secret


def test_snapshots_continue_alike() -> None:
    environment, secret = started()
    guesses = wrong_guesses(secret)
    say(environment, guesses[0])
    before = environment.snapshot()
    told = [say(environment, guess) for guess in guesses[1:4]]
    fork = TextArenaEnvironment()
    for other in (fork, environment):
        other.restore(before)
        assert [say(other, guess) for guess in guesses[1:4]] == told


def test_nothing_is_downloaded_and_nltk_stays_out() -> None:
    code = f"""
import socket, sys
from textarena_env import TextArenaAction
from textarena_env.server.textarena_environment import TextArenaEnvironment

def refuse(*_, **__):
    raise AssertionError("a connection was tried")

socket.socket.connect = socket.getaddrinfo = refuse
environment = TextArenaEnvironment()
assert "textarena" not in sys.modules
for env_id in {WORD_GAMES}:
    environment.reset(seed=1, env_id=env_id)
    environment.step(TextArenaAction(message="[crane]"))
print(sorted(name for name in ("nltk", "openai", "scipy") if name in sys.modules))
import importlib.util
print(importlib.util.find_spec("nltk").origin is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stderr, done.stdout) == ("", "[]\nTrue\n")


def test_the_words() -> None:
    assert len(english()) == 38_842 and list(english()) == sorted(set(english()))
    assert set(common_nouns()) <= nouns() <= set(english())
    assert sum(len(word) == 5 for word in common_nouns()) == 535
