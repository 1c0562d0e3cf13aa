"""Every game of TextArena takes what players say, or says why it cannot; a sample unless all are asked."""

from __future__ import annotations

import os
import random

import pytest

from openenv_gym.server.outcomes import OutcomeReader
from textarena_env import TextArenaAction, TextArenaObservation
from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.library import register
from textarena_env.server.textarena_environment import TextArenaEnvironment

_SAMPLE = 24
_SLOW = ("RushHour-", "Sokoban-", "Sudoku-", "WordLadder-")  # seconds, or minutes, to make a board
REASONS = (
    "no valid Python",
    "not installed",
    "lacks a file",
    "OPENROUTER_API_KEY",
    "refuses this",
    "fails at every",
    "cannot be shown",
)
MESSAGES = (
    "",
    "[]",
    "[0]",
    "[0 0]",
    "[99999999999999999999]",
    "[" + "9" * 5000 + "]",
    "[-1 -1]",
    "[up]",
    "[A0]",
    "[call]",
    "[crane]",
    "[\x00\ud7ff🙂é]",
    "{'a': 1}",
    "[" * 4000,
    "[bid: 9, 9]",
    "I say what I like, at some length. " * 100,
)

IDS = sorted(register())
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    quick = [env_id for env_id in IDS if not env_id.startswith(_SLOW)]
    IDS = sorted(random.Random(5).sample(quick, _SAMPLE))


@pytest.mark.parametrize("env_id", IDS)
def test_a_game_takes_whatever_players_say(env_id: str) -> None:
    environment, rng = TextArenaEnvironment(), random.Random(env_id)
    read = OutcomeReader((TextArenaObservation,), lenient=False).read
    try:
        seen = environment.reset(seed=1, env_id=env_id)
    except UnplayableGameError as error:
        assert any(reason in str(error) for reason in REASONS), error
        return
    assert seen.prompt
    for message in rng.sample(MESSAGES, len(MESSAGES)):
        seen = environment.step(TextArenaAction(message=message))
        read(seen, "step")
        assert environment.state.model_dump(mode="json")
        if seen.done:
            assert seen.info["outcome"] in {"win", "loss", "draw", "invalid"}
            assert set(seen.info["outcomes"]) >= set(seen.info["rewards"])
            environment.reset(seed=2, env_id=env_id)
