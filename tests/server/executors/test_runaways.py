from __future__ import annotations

from openenv_gym.server.executors import Runaways


def test_runaways_count_and_forget() -> None:
    runaways = Runaways(limit=1)
    assert (runaways.count, runaways.healthy) == (0, True)
    runaways.add("a", "step()")
    runaways.add("a", "close() of the same")
    assert (runaways.count, runaways.healthy) == (1, True)
    runaways.add("b", "step()")
    assert (runaways.count, runaways.healthy) == (2, False)
    runaways.remove("a")
    runaways.remove("never added")
    assert (runaways.count, runaways.healthy) == (1, True)
