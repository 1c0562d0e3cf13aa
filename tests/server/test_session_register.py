"""The register by itself: who is found under a name, and who stands in whose way."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.session_register import SessionRegister

HTTP, WEBSOCKET, MULTIPLEXED = SessionKind.HTTP, SessionKind.WEBSOCKET, SessionKind.MULTIPLEXED


def session(name: str, kind: SessionKind = HTTP, opened: float = 0.0) -> Session:
    made = Session(name, kind, cast(Any, None), lenient=False, clock=lambda: opened)
    made.ready = True
    return made


def register(*sessions: Session, capacity: int = 8) -> SessionRegister:
    filled = SessionRegister(capacity)
    for each in sessions:
        filled.add(each)
    return filled


def test_sessions_are_counted_by_what_they_were_opened_over() -> None:
    first, second, third = session("a"), session("b"), session("c", WEBSOCKET)
    sessions = register(first, second, third)
    sessions.remove(first)
    assert (len(sessions), sessions.count_over(HTTP), sessions.count_over(WEBSOCKET)) == (2, 1, 1)
    assert list(sessions) == [second, third]
    assert ("a" in sessions, "b" in sessions) == (False, True)


def test_a_multiplexed_session_is_found_by_its_own_connection_alone() -> None:
    sessions = register(session("a", MULTIPLEXED))
    assert sessions.get("a") is not None
    with pytest.raises(SessionRefused, match="Unknown session_id"):
        sessions.find("a")


async def test_a_closing_session_is_no_longer_found() -> None:
    leaving = session("a")
    sessions = register(leaving)
    assert sessions.find("a") is leaving
    leaving.closing = asyncio.create_task(asyncio.sleep(0))
    assert sessions.get("a") is None
    with pytest.raises(SessionRefused, match="has ended"):
        sessions.find("a")
    await leaving.closing


def test_ended_sessions_are_told_from_unknown_ones_until_many_others_ended() -> None:
    sessions = register()
    sessions.remember_ended(session("a"))
    with pytest.raises(SessionRefused, match="has ended"):
        sessions.find("a")
    for number in range(4096):
        sessions.remember_ended(session(str(number)))
    with pytest.raises(SessionRefused, match="Unknown session_id"):
        sessions.find("a")


def test_http_sessions_compete_for_a_quarter_of_the_slots() -> None:
    over_http, attached = [session("a"), session("b")], session("c", WEBSOCKET)
    sessions = register(*over_http, attached)
    assert sessions.rivals(HTTP) == over_http
    assert sessions.rivals(WEBSOCKET) == sessions.rivals(SessionKind.MCP) == []
    full = register(*over_http, attached, capacity=3)
    assert full.rivals(WEBSOCKET) == [*over_http, attached]


def test_only_detached_sessions_idle() -> None:
    used, early, late = session("a", WEBSOCKET), session("b", opened=10.0), session("c", opened=20.0)
    assert register(used, early, late).idle_since(15.0) == [early]
    assert register(used, early, late).has_detached()
    assert not register(used).has_detached()
