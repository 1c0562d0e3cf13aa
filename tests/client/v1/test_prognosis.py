"""Which ends of a connection are the end of its sessions."""

from __future__ import annotations

import pytest

from openenv_gym.client.v1.prognosis import Prognosis
from openenv_gym.errors import ProtocolError, SessionLostError
from openenv_gym.transport.interface import ConnectionClosed

CUT = ConnectionClosed()
NONSENSE = [ProtocolError("no frame"), ConnectionClosed(1002), ConnectionClosed(1007)]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1013])
def test_another_connection_may_go_on(code: int) -> None:
    assert Prognosis().why_for_good(ConnectionClosed(code)) is None


@pytest.mark.parametrize("code", [1003, 1008, 1009, 1010])
def test_what_would_be_said_again_is_not_tried_again(code: int) -> None:
    why = Prognosis().why_for_good(ConnectionClosed(code, "not here"))
    assert isinstance(why, SessionLostError)
    assert f"the server closed the connection (code {code}: not here)" in str(why)


def test_a_reply_too_large_for_this_side_names_the_setting() -> None:
    assert "max_message_size_mb" in str(Prognosis().why_for_good(ConnectionClosed(1009, by_us=True)))


def test_a_server_that_stops() -> None:
    assert "has stopped" in str(Prognosis().why_for_good(ConnectionClosed(1012)))
    assert Prognosis().why_for_good(ConnectionClosed(1012, by_us=True)) is None
    drained = Prognosis()
    drained.is_draining = True
    assert "has stopped" in str(drained.why_for_good(CUT))


@pytest.mark.parametrize("nonsense", NONSENSE, ids=["no-frame", "1002", "1007"])
def test_nonsense_is_borne_nine_times_in_a_row(nonsense: ConnectionClosed | ProtocolError) -> None:
    prognosis = Prognosis()
    assert [prognosis.why_for_good(nonsense) for _ in range(9)] == [None] * 9
    assert prognosis.why_for_good(nonsense) is not None


@pytest.mark.parametrize("sense", ["another end", "a reply"])
def test_sense_in_between_counts_anew(sense: str) -> None:
    prognosis = Prognosis()
    for _ in range(9):
        prognosis.why_for_good(NONSENSE[0])
    if sense == "a reply":
        prognosis.broken = 0
    else:
        prognosis.why_for_good(CUT)
    assert prognosis.why_for_good(NONSENSE[0]) is None
