"""TextArena's games by ``textarena:ID``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.engines.app import create_engine_app, define_engine
from openenv_gym.errors import UsageError
from tests.servers import LiveServer


def test_a_game_is_served_with_its_options(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("textarena:Wordle-v0?num_guesses=2"))
    with RemoteEnv(base_url=server.base_url) as env:
        first, _ = env.reset(seed=3)
        assert "You have 2 attempts" in first["prompt"]
        for guess in ("[crane]", "[slate]"):
            _, reward, terminated, truncated, _ = env.step({"message": guess})
        assert (reward, terminated, truncated) == (0.2, True, False)  # the word is "knack"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("textarena:Wordel-v0", "did you mean Wordle-v0"),
        ("textarena:Wordle-v0?colour=red", "its options: word_length, num_guesses, hardcore"),
        ("textarena:TicTacToe-v0?num_players=3", "number of players has to be 2"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        define_engine(name)
