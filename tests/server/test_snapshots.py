from __future__ import annotations

from openenv_gym.server.snapshots import Kept, SnapshotShelf
from openenv_gym.wire.messages import ErrorCode, Reason
from openenv_gym.wire.server_session import Place, Stage

HERE = Place(Stage.RUNNING, 3)


def test_the_snapshot_used_longest_ago_is_dropped() -> None:
    shelf = SnapshotShelf(2)
    first, second = shelf.keep(Kept("first", HERE)), shelf.keep(Kept("second", HERE))
    assert shelf.find(first) is not None
    third = shelf.keep(Kept("third", HERE))
    assert shelf.find(second) is None
    assert [kept.state for kept in map(shelf.find, (first, third)) if kept is not None] == ["first", "third"]
    shelf.clear()
    assert (len(shelf), shelf.find(first)) == (0, None)


def test_snapshots_of_known_size_are_bounded_together() -> None:
    shelf = SnapshotShelf(100)
    large = bytes(100 * 2**20)
    handles = [shelf.keep(Kept(large, HERE)) for _ in range(4)]
    assert [shelf.find(handle) is not None for handle in handles] == [False, False, True, True]


def test_handles_are_unguessable_and_anything_else_finds_nothing() -> None:
    shelf = SnapshotShelf(1000)
    handles = {shelf.keep(Kept(None, HERE)) for _ in range(1000)}
    assert len(handles) == 1000
    assert min(map(len, handles)) >= 24
    for nonsense in (None, 5, "", "x", [], {}, next(iter(handles))[:-1]):
        assert shelf.find(nonsense) is None


def test_the_error_ends_a_session_only_where_it_refuses_one() -> None:
    shelf = SnapshotShelf(7)
    for code, ends in ((ErrorCode.SESSION_ERROR, True), (ErrorCode.VALIDATION_ERROR, False)):
        error = shelf.missing(code)
        assert (error.reason, error.ends_session) == (Reason.NO_SNAPSHOT, ends)
        assert "keeps the 7 that were used last" in error.message
