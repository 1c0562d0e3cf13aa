"""Games as the environment plays them, beside OpenSpiel's own environment and rules."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from open_spiel.python import rl_environment

from openspiel_env import OpenSpielAction
from openspiel_env.server.openspiel_environment import OpenSpielEnvironment

# One of each kind: chance, rewards on the way, information states, large tensors.
ALONE = ["2048", "blackjack", "catch", "cliff_walking", "deep_sea", "solitaire"]


def play(environment: OpenSpielEnvironment, seed: int, moves: int = 40, **options: Any) -> list[Any]:
    """Play legal moves, chosen by the seed, and tell all that was observed."""
    rng = random.Random(seed)
    observed = [environment.reset(seed=seed, **options)]
    while not observed[-1].done and len(observed) <= moves:
        action = rng.choice(observed[-1].legal_actions)
        observed.append(environment.step(OpenSpielAction(action_id=action)))
    return observed


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_game_alone_is_that_of_openspiels_environment(name: str, seed: int) -> None:
    sampler = rl_environment.ChanceEventSampler(seed)
    theirs = rl_environment.Environment(name, chance_event_sampler=sampler)
    environment = OpenSpielEnvironment(name)
    rng = random.Random(seed)
    observed: Any = environment.reset(seed=seed)
    step = theirs.reset()
    for _ in range(60):
        assert observed.info_state == step.observations["info_state"][0]
        assert observed.legal_actions == step.observations["legal_actions"][0]
        assert observed.current_player_id == step.observations["current_player"]
        assert observed.reward == (None if step.rewards is None else step.rewards[0])
        assert observed.done == step.last()
        if step.last():
            return
        action = rng.choice(observed.legal_actions)
        observed = environment.step(OpenSpielAction(action_id=action))
        step = theirs.step([action])


@pytest.mark.parametrize("name", ["kuhn_poker", "tic_tac_toe", "leduc_poker", "pig", "connect_four"])
@pytest.mark.parametrize("seat", [0, 1])
def test_against_a_fixed_opponent_the_game_is_openspiels(name: str, seat: int) -> None:
    """The opponent always takes the last legal move, so the whole game can be played beside ours."""
    sampler = rl_environment.ChanceEventSampler(3)
    theirs = rl_environment.Environment(name, chance_event_sampler=sampler)
    step = theirs.reset()
    earned = 0.0

    def opponents_turn() -> None:
        nonlocal step, earned
        while not step.last() and step.current_player() != seat:
            step = theirs.step([step.observations["legal_actions"][step.current_player()][-1]])
            earned += step.rewards[seat]

    opponents_turn()
    environment = OpenSpielEnvironment(name, agent_player=seat, opponent_policy="last")
    observed: Any = environment.reset(seed=3)
    assert observed.game_phase == ("initial" if seat == 0 else "playing")
    assert (observed.opponent_last_action is None) == (seat == 0)
    rng = random.Random(3)
    while True:
        assert observed.info_state == step.observations["info_state"][seat]
        assert observed.legal_actions == step.observations["legal_actions"][seat]
        assert observed.done == step.last()
        if step.last():
            break
        assert observed.current_player_id == seat
        action = rng.choice(observed.legal_actions)
        step, earned = theirs.step([action]), 0.0
        earned += step.rewards[seat]
        opponents_turn()
        observed = environment.step(OpenSpielAction(action_id=action))
        assert observed.reward == earned
    assert observed.game_phase == "terminal"
    assert observed.current_player_id == -4
    assert observed.metadata["returns"] == theirs.get_state.returns()


def test_all_move_at_once() -> None:
    environment = OpenSpielEnvironment("matrix_rps", agent_player=1, opponent_policy="first")
    assert environment.reset(seed=1).current_player_id == -2
    paper = environment.step(OpenSpielAction(action_id=1))
    assert (paper.reward, paper.opponent_last_action, paper.done) == (1.0, 0, True)


@pytest.mark.parametrize("name", ["2048", "leduc_poker", "goofspiel", "backgammon", "negotiation"])
def test_equal_seeds_give_equal_games_in_many_threads(name: str) -> None:
    """Games that draw in secret (negotiation) included; others are dealt between."""

    def game(seed: int) -> list[Any]:
        return play(OpenSpielEnvironment(name), seed, moves=12)

    alone = [game(seed) for seed in range(4)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(game, [0, 1, 2, 3] * 4))
    assert together == alone * 4
    assert len({str(observed) for observed in alone}) > 1


@pytest.mark.parametrize("policy", ["random", "first", "last", "mcts"])
def test_every_opponent_plays_a_game_to_its_end(policy: str) -> None:
    environment = OpenSpielEnvironment("connect_four", opponent_policy=policy)
    first = play(environment, 5)
    assert first[-1].done
    assert play(environment, 5) == first


def test_the_search_wins_against_chance() -> None:
    environment = OpenSpielEnvironment("tic_tac_toe", opponent_policy="mcts", agent_player=1)
    assert sum(play(environment, seed)[-1].reward for seed in range(10)) <= -8


def test_snapshots_carry_the_whole_game() -> None:
    environment, other = OpenSpielEnvironment("backgammon"), OpenSpielEnvironment()
    before = play(environment, 2, moves=5)[-1]

    def go_on(place: OpenSpielEnvironment) -> list[Any]:
        observed: list[Any] = [before]
        for _ in range(5):
            action = observed[-1].legal_actions[0]
            observed.append(place.step(OpenSpielAction(action_id=action)))
        return [*observed, place.state]

    snapshot = environment.snapshot()
    first = go_on(environment)
    environment.restore(snapshot)
    other.restore(snapshot)
    assert go_on(environment) == first == go_on(other)
