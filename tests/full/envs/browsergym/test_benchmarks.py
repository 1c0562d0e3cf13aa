"""Benchmarks other than MiniWoB: what they need is asked for; a site of one's own is a task too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browsergym_env import BrowserGymAction
from browsergym_env.server.benchmarks import Benchmark
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.settings import BrowserGymSettings
from browsergym_env.server.static_site import StaticSite
from openenv_gym.errors import UsageError

WEBARENA = ("SHOPPING", "SHOPPING_ADMIN", "REDDIT", "GITLAB", "WIKIPEDIA", "MAP", "HOMEPAGE")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StaticSite]:
    (tmp_path / "shop.html").write_text("<title>Shop</title><a href='/cart.html'>Cart</a>")
    (tmp_path / "cart.html").write_text("<title>Cart</title><p>It is empty")
    site = StaticSite(tmp_path)
    yield site
    site.close()


def test_all_tasks_of_miniwob_are_there() -> None:
    benchmark = Benchmark(BrowserGymSettings())
    assert (len(benchmark.tasks), benchmark.first_task) == (125, "click-test")
    benchmark.close()


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'miniwop'.*miniwob, webarena"):
        Benchmark(BrowserGymSettings(benchmark="miniwop"))


def test_missing_sites_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_SHOPPING", "http://shop.example:7770")
    with pytest.raises(UsageError, match="WA_SHOPPING_ADMIN, WA_REDDIT") as raised:
        Benchmark(BrowserGymSettings(benchmark="webarena"))
    assert "WA_SHOPPING," not in str(raised.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WEBARENA:
        monkeypatch.setenv(f"WA_{name}", f"http://{name.lower().replace('_', '-')}.example")
    with pytest.raises(UsageError, match="pip install browsergym-webarena"):
        Benchmark(BrowserGymSettings(benchmark="webarena"))


def test_pages_of_miniwob_that_are_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold MiniWoB's pages"):
        Benchmark(BrowserGymSettings(miniwob_url=tmp_path.as_uri()))
    served = Benchmark(BrowserGymSettings(miniwob_url="http://miniwob.example:8888/miniwob"))
    served.reach.check("http://miniwob.example:8888/miniwob/click-test.html")
    served.close()


def test_a_site_of_ones_own(site: StaticSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSERGYM_START_URL", f"http://{site.address}/shop.html")
    monkeypatch.setenv("BROWSERGYM_GOAL", "Look into the cart")
    environment = BrowserGymEnvironment(BrowserGymSettings(benchmark="openended"))
    try:
        seen = environment.reset(seed=1)
        assert (seen.goal, seen.screenshot) == ("Look into the cart", None)
        assert "link 'Cart'" in seen.axtree_txt
        refused = environment.step(BrowserGymAction(action_str="goto('http://127.0.0.1:1/')"))
        assert site.address in refused.error
        moved = environment.step(BrowserGymAction(action_str=f"goto('http://{site.address}/cart.html')"))
        assert (moved.url, moved.error) == (f"http://{site.address}/cart.html", "")
        assert "It is empty" in moved.axtree_txt
        back = environment.step(BrowserGymAction(action_str="go_back()"))
        assert back.url.endswith("/shop.html")
    finally:
        environment.close()
