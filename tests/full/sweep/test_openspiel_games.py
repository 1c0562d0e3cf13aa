"""Every registered game of OpenSpiel is played, or refused with a reason; a sample unless all are asked."""

from __future__ import annotations

import os
import random

import pyspiel
import pytest

from openspiel_env import OpenSpielAction, OpenSpielObservation
from openspiel_env.server.game_loading import registered_names
from openspiel_env.server.openspiel_environment import OpenSpielEnvironment

_SAMPLE = 12
_MOVES = 5

#: No moves of one agent, or no game before a parameter or a file says which.
REFUSED = {
    *("add_noise", "cached_tree", "crossword", "efg_game", "mfg_crowd_modelling", "mfg_crowd_modelling_2d"),
    *("mfg_dynamic_routing", "mfg_garnet", "misere", "nfg_game", "normal_form_extensive_game"),
    *("repeated_game", "repeated_poker", "restricted_nash_response", "start_at"),
    *("turn_based_simultaneous_game", "zerosum"),
}
GAMES = sorted(registered_names())
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    GAMES = sorted(random.Random(4).sample(GAMES, _SAMPLE))


@pytest.mark.parametrize("name", GAMES)
def test_a_game_is_played_from_its_last_seat_or_refused(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(ValueError, match=r"mean field game|cannot"):
            OpenSpielEnvironment(name)
        return
    environment = OpenSpielEnvironment(name, agent_player=pyspiel.load_game(name).num_players() - 1)
    rng = random.Random(1)
    observed = environment.reset(seed=1)
    for _ in range(_MOVES):
        assert len(observed.legal_action_names) == len(observed.legal_actions) > 0
        observed = environment.step(OpenSpielAction(action_id=rng.choice(observed.legal_actions)))
        assert OpenSpielObservation.model_validate(observed.model_dump()) == observed
        if observed.done:
            break
    assert environment.state.step_count > 0
