"""Two sessions in one game: turns, secrets, and players who leave or do not come."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from tests.servers import LiveServer
from textarena_env import TextArenaAction, TextArenaEnv, TextArenaObservation
from textarena_env.server.app import app
from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.textarena_environment import TextArenaEnvironment

TIC_TAC_TOE: dict[str, Any] = {"env_id": "TicTacToe-v0", "match": "ours"}


def say(environment: TextArenaEnvironment, message: str) -> TextArenaObservation:
    return environment.step(TextArenaAction(message=message))


class Player:
    """A session on a thread of its own, as a server runs it."""

    def __init__(self) -> None:
        self.environment = TextArenaEnvironment()
        self._thread = ThreadPoolExecutor(1)

    def reset(self, **options: Any) -> Future[TextArenaObservation]:
        return self._thread.submit(self.environment.reset, **options)

    def say(self, message: str) -> Future[TextArenaObservation]:
        return self._thread.submit(say, self.environment, message)

    def close(self) -> None:
        self.environment.close()  # from here, so that nobody is left waiting for it
        self._thread.shutdown()


@pytest.fixture
def players() -> Any:
    pair = [Player(), Player()]
    yield pair
    for player in pair:
        player.close()


def test_each_sees_its_own_cards(players: list[Player]) -> None:
    options = {"env_id": "KuhnPoker-v0-short", "match": "cards", "seed": 1}
    coming = {player.reset(**options, seat=seat): player for seat, player in enumerate(players)}
    (begun,), (waiting,) = wait(coming, timeout=20, return_when=FIRST_COMPLETED)
    coming[begun].say("[bet]")
    seen = [future.result(20) for future in (begun, waiting)]
    cards = [shown.messages[0].content.split("Your card is:")[1].split()[0] for shown in seen]
    assert {shown.current_player_id for shown in seen} == {0, 1}
    assert cards[0] != cards[1]
    assert f"Your card is: {cards[0]}" not in seen[1].messages[0].content


def test_a_game_to_its_end_and_the_next_under_the_same_name(players: list[Player]) -> None:
    one, other = players
    for _ in range(2):
        started, joined = one.reset(**TIC_TAC_TOE, seat=0), other.reset(**TIC_TAC_TOE, seat=1)
        started.result(20)
        told = [one.say("[4]")]
        joined.result(20)
        for cell, reply in (("0", "1"), ("8", "2")):
            told = [other.say(f"[{reply}]"), one.say(f"[{cell}]")]
        last = [future.result(20) for future in told]
        assert [(shown.reward, shown.info["outcome"]) for shown in last] == [(-1.0, "loss"), (1.0, "win")]
        assert all(shown.done and not shown.truncated for shown in last)


def test_who_leaves_ends_the_game_of_the_other(players: list[Player]) -> None:
    one, other = players
    one.reset(**TIC_TAC_TOE).result(20)
    joined = other.reset(**TIC_TAC_TOE)
    waiting = one.say("[4]")
    joined.result(20)
    other.environment.close()
    last = waiting.result(20)
    assert (last.done, last.truncated, last.reward) == (True, True, 0.0)
    assert (last.info["outcome"], last.info["reason"]) == ("abandoned", "player 1 has left")


def test_nobody_waits_for_ever_for_who_never_comes(players: list[Player]) -> None:
    one, _ = players
    one.reset(**TIC_TAC_TOE, patience_s=0.2).result(20)
    last = one.say("[4]").result(20)
    assert (last.done, last.truncated, last.info["outcome"]) == (True, True, "abandoned")
    assert last.info["reason"] == "player 1 has not come within 0.2 s"


def test_nobody_waits_for_ever_for_who_never_moves(players: list[Player]) -> None:
    one, other = players
    one.reset(**TIC_TAC_TOE).result(20)
    joined = other.reset(**TIC_TAC_TOE, patience_s=0.2).result(20)
    assert (joined.done, joined.info["outcome"]) == (True, "abandoned")
    assert joined.info["reason"] == "player 0 has not moved within 0.2 s"
    assert one.say("[4]").result(20).info["outcome"] == "abandoned"


def test_a_match_is_joined_as_it_is(players: list[Player]) -> None:
    one, other = players
    one.reset(**TIC_TAC_TOE, seat=0).result(20)
    for options, said in (
        ({"seat": 0}, "no free seat 0"),
        ({"env_id": "Nim-v0"}, "another env_id"),
        ({"opponent": "random"}, "not an opponent"),
    ):
        with pytest.raises(UnplayableGameError, match=said):
            other.reset(**{**TIC_TAC_TOE, **options}).result(20)
    with pytest.raises(RuntimeError, match="no snapshots"):
        one.environment.snapshot()


def test_two_clients_of_one_server(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(app)
    with (
        TextArenaEnv(base_url=server.base_url).sync() as one,
        TextArenaEnv(base_url=server.base_url).sync() as other,
        ThreadPoolExecutor(2) as thread,
    ):
        assert one.reset(**TIC_TAC_TOE).observation.current_player_id == 0
        joined = thread.submit(other.reset, **TIC_TAC_TOE)
        moved = thread.submit(one.step, TextArenaAction(message="[4]"))
        assert joined.result(20).observation.current_player_id == 1
        other.close()
        last = moved.result(20)
        assert (last.done, last.truncated, last.metadata["outcome"]) == (True, True, "abandoned")
