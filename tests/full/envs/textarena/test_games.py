"""Any game by its id: who plays, seeds, outcomes of several players, and what cannot be played."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from textarena_env import TextArenaAction, TextArenaObservation
from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.game import Game, default_players
from textarena_env.server.opponents import _MOVES, make_opponent
from textarena_env.server.textarena_environment import TextArenaEnvironment


def say(environment: TextArenaEnvironment, message: str) -> TextArenaObservation:
    return environment.step(TextArenaAction(message=message))


def test_one_session_plays_every_seat() -> None:
    environment = TextArenaEnvironment()
    assert environment.reset(seed=1, env_id="TicTacToe-v0").legal_players == [0, 1]
    seen = [say(environment, f"[{cell}]") for cell in (4, 0, 3, 1, 5)]
    assert [observation.current_player_id for observation in seen] == [1, 0, 1, 0, 0]
    assert "You are Player 1" in seen[0].prompt
    assert "You are Player 0" in seen[1].prompt
    last = seen[-1]
    assert (last.reward, last.done, last.info["outcome"]) == (1.0, True, "win")
    assert last.info["outcomes"] == {"0": "win", "1": "loss"}
    assert last.info["rewards"] == {"0": 1.0, "1": -1.0}


def test_a_draw() -> None:
    environment = TextArenaEnvironment()
    environment.reset(seed=1, env_id="TicTacToe-v0")
    *_, last = [say(environment, f"[{cell}]") for cell in (0, 1, 2, 4, 3, 5, 7, 6, 8)]
    assert (last.reward, last.done, last.info["outcome"]) == (0.0, True, "draw")


def test_losing_by_an_invalid_move_is_the_others_win() -> None:
    environment = TextArenaEnvironment()
    environment.reset(seed=1, env_id="TicTacToe-v0")
    first, last = [say(environment, "[99]") for _ in range(2)]
    assert (first.current_player_id, first.info["invalid_move"], first.done) == (0, True, False)
    assert (last.reward, last.info["outcome"]) == (-1.0, "invalid")
    assert last.info["outcomes"] == {"0": "invalid", "1": "win"}


def test_raw_games_give_typed_messages_of_what_is_new() -> None:
    environment = TextArenaEnvironment()
    first = environment.reset(seed=1, env_id="TicTacToe-v0-raw")
    assert [(message.sender_id, message.category) for message in first.messages] == [
        (-1, "PROMPT"),
        (-1, "GAME_BOARD"),
    ]
    say(environment, "[4]")
    back = say(environment, "[0]")
    assert [message.category for message in back.messages if message.sender_id == 1] == ["PLAYER_ACTION"]
    assert "PROMPT" not in {message.category for message in back.messages}
    assert back.prompt == first.prompt


def test_the_seat_and_the_script_of_an_opponent() -> None:
    environment = TextArenaEnvironment()
    first = environment.reset(seed=1, env_id="TicTacToe-v0", opponent=["[4]", "[0]", "[8]"], seat=1)
    assert first.current_player_id == 1
    assert "Player 0 placed their symbol (O) in cell 4" in first.messages[0].content
    say(environment, "[1]")
    last = say(environment, "[2]")
    assert (last.reward, last.done, last.info["outcome"]) == (-1.0, True, "loss")
    assert "You are Player 1" in last.prompt


SMALL = {"Breakthrough": "-tiny", "LiarsDice": "-small", "Othello": "-tiny", "Poker": "-small"}


@pytest.mark.parametrize("family", sorted(_MOVES))
def test_random_opponents_play_legal_moves_to_the_end(family: str) -> None:
    env_id = f"{family}-v0{SMALL.get(family, '')}"
    if family in {"IteratedStagHunt", "ReverseTicTacToe"} and sys.version_info < (3, 12):
        with pytest.raises(UnplayableGameError, match=r"3\.12"):
            Game(env_id, 2, 5, {})
        return
    game = Game(env_id, default_players(env_id), 5, {})
    players = [make_opponent("random", env_id, seed) for seed in range(game.num_players)]
    for _ in range(60):
        assert game.step(players[game.current_player].choose(game))
        if game.done:
            outcomes = {game.outcome(player) for player in range(game.num_players)}
            assert outcomes <= {"win", "loss", "draw"}
            break


def play(env_id: str, seed: int, messages: list[str], **options: Any) -> list[dict[str, Any]]:
    environment = TextArenaEnvironment()
    seen = [environment.reset(seed=seed, env_id=env_id, **options)]
    for message in messages:
        if seen[-1].done:
            break
        seen.append(say(environment, message))
    return [observation.model_dump() for observation in seen]


SEEDED = {
    "Wordle-v0": ["[crane]", "[slate]", "[audio]"],
    "Minesweeper-v0-small": ["[0 0]", "[4 4]", "[2 2]"],
    "SpellingBee-v0": ["[see]", "[tree]"],  # draws from numpy
    "Sokoban-v0": ["[up]", "[down]", "[left]"],  # draws from generators of its own, in global variables
    "PigDice-v0": ["[roll]", "[roll]", "[hold]", "[roll]"],
    "KuhnPoker-v0": ["[check]", "[bet]", "[call]"],
}

OPTIONS = {"Sokoban-v0": {"num_boxes": 1}}  # with more, building a room takes a second


@pytest.mark.parametrize("env_id", SEEDED)
def test_equal_seeds_give_equal_games_among_many(env_id: str) -> None:
    """Sixteen threads play at once, while another draws from the global numbers and seeds them."""
    options = OPTIONS.get(env_id, {})
    alone = {seed: play(env_id, seed, SEEDED[env_id], **options) for seed in (1, 3)}
    assert alone[1] != alone[3]
    over = threading.Event()

    def disturb() -> None:
        while not over.wait(0.0001):
            random.seed(7)
            random.random()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        with ThreadPoolExecutor(16) as pool:
            seeds = [1, 3] * 16
            together = list(pool.map(lambda seed: play(env_id, seed, SEEDED[env_id], **options), seeds))
    finally:
        over.set()
        disturber.join()
    for seed, episode in zip(seeds, together, strict=True):
        assert episode == alone[seed]


def test_games_leave_the_global_random_numbers_alone() -> None:
    random.seed(11)
    expected = random.getstate()
    play("PigDice-v0", 1, ["[roll]"] * 5)
    assert random.getstate() == expected


def beginnings(env_ids: list[str]) -> dict[str, str]:
    """How games begin, as text."""
    environment = TextArenaEnvironment()
    return {
        env_id: environment.reset(seed=3, env_id=env_id, **OPTIONS.get(env_id, {})).model_dump_json()
        for env_id in env_ids
    }


def test_equal_seeds_give_equal_games_in_every_process() -> None:
    """Python orders sets of texts differently in each process."""
    env_ids = [*SEEDED, "WordChains-v0", "Codenames-v0", "Crosswords-v0"]
    code = f"from tests.full.envs.textarena.test_games import *; print(json.dumps(beginnings({env_ids})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={"PYTHONHASHSEED": "1234567", "PYTHONPATH": ":".join(sys.path)},
    )
    assert json.loads(done.stdout) == beginnings(env_ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"env_id": "Wordel-v0"}, "did you mean Wordle-v0"),
        ({"env_id": "TicTacToe-v0", "num_players": 3}, "number of players has to be 2, received 3"),
        ({"env_id": "Nim-v0", "pilles": [1]}, "no option pilles; its options: piles"),
        ({"env_id": "TwentyQuestions-v0"}, "OPENROUTER_API_KEY"),
        ({"env_id": "Debate-v0"}, "OPENROUTER_API_KEY"),
        ({"env_id": "BabyAiText-v0"}, "No module named"),
        ({"env_id": "UsedCarNegotiation-v0"}, "lacks a file"),
        ({"env_id": "TicTacToe-v0", "opponent": "clever"}, "neither 'random' nor a list"),
        ({"env_id": "Taboo-v0", "opponent": "random"}, "no random opponent, only Battleship"),
        ({"env_id": "TicTacToe-v0", "opponent": []}, "at least one message"),
        ({"env_id": "TicTacToe-v0", "opponent": "random", "seat": 2}, "seat 2"),
        ({"env_id": "TicTacToe-v0", "seat": 1}, "an opponent, or a match"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_what_cannot_be_played_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnplayableGameError) as raised:
        TextArenaEnvironment().reset(seed=1, **options)
    assert message in str(raised.value)


def test_max_turns_is_the_games_own_where_it_has_one() -> None:
    environment = TextArenaEnvironment()
    environment.reset(seed=1, env_id="TicTacToe-v0", max_turns=2)
    assert environment.state.max_turns == 2
    say(environment, "[0]")
    last = say(environment, "[1]")
    assert (last.done, last.truncated, last.info["outcome"]) == (True, True, "truncated")
    environment.reset(seed=1, env_id="GuessTheNumber-v0", max_turns=2)
    assert environment.state.max_turns is None
    *_, last = [say(environment, f"[{number}]") for number in (1, 2, 3)]
    assert (last.done, last.truncated, last.info["outcome"]) == (True, False, "loss")
