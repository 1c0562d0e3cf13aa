"""Settings from variables, and what sites they let pages reach."""

from __future__ import annotations

import pytest

from browsergym_env.server.reach import Reach
from browsergym_env.server.settings import BrowserGymSettings
from openenv_gym.errors import UsageError


def test_defaults() -> None:
    settings = BrowserGymSettings.from_environ({})
    assert settings == BrowserGymSettings()
    assert settings.screenshot_shape == (321, 498, 3)
    assert BrowserGymSettings(benchmark="webarena").screenshot_shape == (720, 1280, 3)


def test_variables_have_openenvs_names() -> None:
    settings = BrowserGymSettings.from_environ(
        {
            "BROWSERGYM_BENCHMARK": "webarena",
            "BROWSERGYM_TASK_NAME": "42",
            "BROWSERGYM_HEADLESS": "False",
            "BROWSERGYM_VIEWPORT_WIDTH": "800",
            "BROWSERGYM_VIEWPORT_HEIGHT": "600",
            "BROWSERGYM_TIMEOUT": "2500.0",
            "BROWSERGYM_INCLUDE_SCREENSHOT": "true",
            "BROWSERGYM_ALLOWED_SITES": "a.example, *.b.example",
        }
    )
    assert settings == BrowserGymSettings(
        benchmark="webarena",
        task_name="42",
        headless=False,
        viewport=(800, 600),
        timeout=2500.0,
        include_screenshot=True,
        allowed_sites=("a.example", "*.b.example"),
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"BROWSERGYM_HEADLESS": "perhaps"},
        {"BROWSERGYM_TIMEOUT": "soon"},
        {"BROWSERGYM_TIMEOUT": "-1"},
        {"BROWSERGYM_TIMEOUT": "nan"},
        {"BROWSERGYM_VIEWPORT_WIDTH": "800"},
        {"BROWSERGYM_VIEWPORT_WIDTH": "0", "BROWSERGYM_VIEWPORT_HEIGHT": "600"},
    ],
    ids=lambda variables: "-".join(f"{name}={value}" for name, value in variables.items()),
)
def test_what_makes_no_sense_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(variables))):
        BrowserGymSettings.from_environ(variables)


def test_reach() -> None:
    reach = Reach(
        ["http://shop.example:7770/a", "https://git.example", "*.maps.example"], {"m:80": "127.0.0.1:9"}
    )
    for url in (
        *("http://shop.example:7770/b", "https://git.example/x", "https://git.example:443", "http://m/"),
        *("http://a.maps.example", "https://b.a.maps.example:8443/", "about:blank"),
    ):
        reach.check(url)
    for url in (
        *(
            "http://shop.example/",
            "http://git.example",
            "http://maps.example",
            "http://m:81/",
            "http://x@y.example",
        ),
        *(
            "http://shop.example:7770@evil.example/",
            "http://[::1",
            "http://m:99999/",
            "about:srcdoc",
            "ftp://m/",
        ),
    ):
        with pytest.raises(ValueError, match=r"opened|reached"):
            reach.check(url)
    assert reach.resolver_rules() == (
        "EXCLUDE *.maps.example,MAP shop.example:7770 shop.example:7770,MAP git.example:443 git.example:443,"
        "MAP m:80 127.0.0.1:9,MAP * ~NOTFOUND"
    )


def test_reach_of_everything_is_of_the_web() -> None:
    reach = Reach(["*"])
    assert reach.resolver_rules() is None
    reach.check("https://example.org/")
    with pytest.raises(ValueError, match="http and https"):
        reach.check("file:///etc/passwd")


@pytest.mark.parametrize("site", ["ftp://x", "http://", "a,b", "a/b", ""])
def test_a_site_that_is_none_is_refused(site: str) -> None:
    with pytest.raises(UsageError, match=r"neither|no address"):
        Reach([site])
