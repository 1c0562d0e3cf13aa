"""Connections fail in every way while users play: while the server lives, nobody is told anything wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from openenv_gym.client import dialects
from openenv_gym.wire.v1.codecs import JsonCodec, MsgpackCodec
from tests.faults import players
from tests.faults.chain_server import ChainServer
from tests.faults.leaks import nothing_left_behind
from tests.faults.misbehaving_proxy import MisbehavingProxy
from tests.faults.schedule import choose_seed, rampage
from tests.faults.storm import playing
from tests.faults.transcript import Transcript, check


@dataclass(frozen=True)
class Storm:
    """One weather.

    Attributes:
        player: How sessions are used.
        execution: How the environment runs.
        codec: How they travel.
        connections: How many.
        sessions: On each.
        faults: That really happen.
    """

    player: players.Player
    execution: str
    codec: type[MsgpackCodec] | type[JsonCodec]
    connections: int
    sessions: int
    faults: int


STORMS = {
    "lockstep-inline-msgpack": Storm(players.lockstep, "inline", MsgpackCodec, 8, 8, 500),
    "as-they-come-async-json": Storm(players.as_they_come, "asynchronous", JsonCodec, 8, 8, 500),
    "clients-thread-msgpack": Storm(players.clients, "thread", MsgpackCodec, 16, 4, 600),
    "alone-inline-json": Storm(players.alone, "inline", JsonCodec, 16, 1, 300),
    "clients-process-msgpack": Storm(players.clients, "process", MsgpackCodec, 3, 2, 100),
}


def test_there_are_two_thousand_faults_over_sixty_four_sessions() -> None:
    assert sum(storm.faults for storm in STORMS.values()) >= 2000
    assert max(storm.connections * storm.sessions for storm in STORMS.values()) == 64


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", STORMS)
def test_nothing_is_lost_repeated_or_wrong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storm, seed = STORMS[name], choose_seed()
    monkeypatch.setattr(dialects, "SUBPROTOCOLS", (storm.codec.subprotocol,))
    transcripts = [
        [Transcript(f"{connection}-{session}") for session in range(storm.sessions)]
        for connection in range(storm.connections)
    ]
    everybody = [transcript for group in transcripts for transcript in group]
    server = ChainServer(storm.execution, tmp_path, capacity=len(everybody))
    try:
        with nothing_left_behind(server):
            with MisbehavingProxy(server.base_url, seed) as proxy:
                with playing(storm.player, proxy.base_url, transcripts, seed) as failed:

                    def is_enough() -> bool:
                        everybody_plays = all(transcript.answered > 10 for transcript in everybody)
                        return failed.is_set() or (everybody_plays and proxy.injected.total() >= storm.faults)

                    proxy.run(rampage(proxy, seed, is_enough), 200.0)
                print({fault.name: count for fault, count in proxy.injected.items()})
            assert proxy.injected.total() >= storm.faults
            for transcript in everybody:
                assert [life.fault for life in transcript.lives] == [None], transcript.name
                assert transcript.answered == server.executed(transcript.name), transcript.name
            # All of the server's slots at once, so they were all given back.
            check(everybody, server.base_url)
    finally:
        server.close()
