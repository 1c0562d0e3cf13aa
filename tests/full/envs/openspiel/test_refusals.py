"""What is refused: games, seats, opponents, parameters that would end a server, files, illegal moves."""

from __future__ import annotations

from typing import Any

import pytest

from openspiel_env import OpenSpielAction
from openspiel_env.server.game_loading import load_asked_game
from openspiel_env.server.openspiel_environment import OpenSpielEnvironment
from openspiel_env.server.settings import Settings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"game_name": "catsh"}, "has no game 'catsh'"),
        ({"game_name": "efg_game(filename=/etc/passwd)"}, "has no game"),
        ({"game_name": "mfg_garnet"}, "mean field game"),
        ({"game_name": "misere"}, "cannot load the game 'misere'"),
        ({"game_name": "tic_tac_toe", "agent_player": 2}, "has the seats 0 to 1"),
        ({"agent_player": -1}, "has the seats 0 to 0"),
        ({"game_name": "kuhn_poker", "opponent_policy": "mcts"}, "perfect information"),
        ({"opponent_policy": "bluff"}, "known are random, first, last, mcts"),
    ],
)
def test_a_reset_that_makes_no_game_is_refused_and_the_last_goes_on(options: Any, said: str) -> None:
    environment = OpenSpielEnvironment()
    environment.reset(seed=1)
    with pytest.raises(ValueError, match=said):
        environment.reset(seed=2, **options)
    assert environment.state.game_name == "catch"
    assert environment.step(OpenSpielAction(action_id=1)).game_phase == "playing"


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("catch", {"rows": "ten"}, "Wrong type for parameter rows"),
        ("catch", {"depth": 3}, "Unknown parameter 'depth'"),
        ("catch", {"rows": [1]}, "rows is a list"),
        ("catch", {f"p{n}": 1 for n in range(40)}, "are too many"),
        ("hex", {"board_size": 5000}, "cannot be played with the parameters"),
        ("connect_four", {"rows": 0}, "it ended the process that tried it"),
        ("go_fish", {"players": 0}, "cannot be played"),
        ("efg_game", {"filename": "/etc/passwd"}, "may name a file"),
        ("misere", {"game": "efg_game(filename=/etc/passwd)"}, "may name a file"),
        ("crossword", {"puzzles_root": "/"}, "may name a file"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value)[:20],
)
def test_parameters_that_would_harm_the_server_are_refused(
    name: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        load_asked_game(name, parameters)
    assert "root:" not in str(refused.value)


def test_parameters_that_make_a_game_are_taken() -> None:
    environment = OpenSpielEnvironment()
    observed = environment.reset(seed=1, game_name="hex", game_params={"board_size": 3})
    assert len(observed.legal_actions) == 9
    assert environment.state.game_params == {"board_size": 3}
    assert len(environment.reset(seed=1, game_params={"rows": 4}).text.split()) == 4


def test_an_illegal_move_is_an_error_where_that_was_asked_and_the_game_goes_on() -> None:
    environment = OpenSpielEnvironment("tic_tac_toe", opponent_policy="first")
    environment.reset(seed=1, illegal_action="error")
    environment.step(OpenSpielAction(action_id=4))
    with pytest.raises(ValueError, match=r"action_id 4 is illegal now; the legal ones are \[1, 2"):
        environment.step(OpenSpielAction(action_id=4))
    assert environment.step(OpenSpielAction(action_id=2)).opponent_last_action == 1


def test_an_illegal_move_loses() -> None:
    environment = OpenSpielEnvironment("tic_tac_toe")
    environment.reset(seed=1)
    environment.step(OpenSpielAction(action_id=4))
    lost: Any = environment.step(OpenSpielAction(action_id=4))
    assert (lost.reward, lost.done, lost.legal_actions, lost.game_phase) == (-1.0, True, [], "terminal")
    assert lost.metadata["illegal_action"] == 4
    assert lost.metadata["returns"][0] == -1.0
    assert not environment.reset(seed=1).done


def test_a_forfeited_game_earns_the_least_whatever_was_won_before() -> None:
    environment = OpenSpielEnvironment("2048")
    observed: Any = environment.reset(seed=1)
    rewards = []
    while not observed.done:
        moves = observed.legal_actions
        action = moves[0] if len(rewards) < 30 else next(a for a in [*range(4), 9] if a not in moves)
        observed = environment.step(OpenSpielAction(action_id=action))
        rewards.append(observed.reward)
    assert sum(rewards[:-1]) > 0
    assert sum(rewards) == 0.0


@pytest.mark.parametrize(
    ("environ", "said"),
    [({"OPENSPIEL_AGENT_PLAYER": "x"}, "no seat"), ({"OPENSPIEL_ILLEGAL_ACTION": "win"}, "lose or error")],
    ids=["seat", "illegal"],
)
def test_settings_that_mean_nothing_are_refused(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings.from_environ(environ)
