"""Which siblings are followed: the same host's, and never from https to http."""

from __future__ import annotations

import pytest

from openenv_gym.client.siblings import follow
from openenv_gym.providers.endpoint import Endpoint


def followed(url: str, *names: int | str) -> list[str]:
    return [endpoint.base_url for endpoint in follow(Endpoint(url, "token"), names)]


@pytest.mark.parametrize(
    ("url", "sibling"),
    [
        ("http://10.0.0.7:8000", "http://10.0.0.7:8001"),
        ("localhost:8000", "http://localhost:8001"),
        ("wss://play.example/echo/", "https://play.example:8001/echo"),
        ("http://[::1]:8000", "http://[::1]:8001"),
        ("http://me:secret@play.example:8000", "http://me:secret@play.example:8001"),
    ],
)
def test_a_port_is_the_same_url_on_another_port(url: str, sibling: str) -> None:
    assert followed(url, 8001) == [sibling]


def test_urls_of_the_same_host() -> None:
    names = ["http://Play.Example:8001", "https://play.example/two", "ws://play.example:8003/ws-prefix/"]
    urls = ["http://Play.Example:8001", "https://play.example/two", "http://play.example:8003/ws-prefix"]
    assert followed("http://play.example:8000", *names) == urls


def test_the_token_goes_along() -> None:
    (sibling,) = follow(Endpoint("http://a:1", "token"), [2])
    assert sibling.token == "token"


@pytest.mark.parametrize(
    "name",
    ["http://evil.example:8000", "http://play.example.evil.example", "http://play.example@evil.example"],
)
def test_another_host_gets_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert followed("http://play.example:8000", name, 8001) == ["http://play.example:8001"]
    assert "base_url=" in caplog.text


def test_nothing_leaves_https(caplog: pytest.LogCaptureFixture) -> None:
    assert followed("https://play.example", "http://play.example:8001", "ws://play.example:8001") == []
    assert "https" in caplog.text


@pytest.mark.parametrize("name", [0, -1, 65536, "", "ftp://play.example", "http://play.example:99999"])
def test_what_is_no_address_is_left_out(name: int | str, caplog: pytest.LogCaptureFixture) -> None:
    assert followed("http://me:secret@play.example:8000", name) == []
    assert "no address" in caplog.text
    assert "secret" not in caplog.text


def test_itself_and_repetitions_are_no_siblings() -> None:
    assert followed("http://a:1", 1, 2, "http://a:2", "http://a:1/", 3) == ["http://a:2", "http://a:3"]


def test_whoever_names_thousands_is_followed_to_a_bound() -> None:
    assert len(followed("http://a:1", *range(2, 60_000))) == 256
