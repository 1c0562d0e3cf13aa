"""The ways people write a server's address."""

from __future__ import annotations

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.transport.address import parse_address


@pytest.mark.parametrize(
    ("written", "http", "ws"),
    [
        ("http://localhost:8000", "http://localhost:8000", "ws://localhost:8000"),
        (
            "https://openenv-echo-env.hf.space",
            "https://openenv-echo-env.hf.space",
            "wss://openenv-echo-env.hf.space",
        ),
        ("ws://localhost:8000", "http://localhost:8000", "ws://localhost:8000"),
        ("wss://example.org", "https://example.org", "wss://example.org"),
        ("localhost:8000", "http://localhost:8000", "ws://localhost:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", "ws://127.0.0.1:8000"),
        ("example.org", "http://example.org", "ws://example.org"),
        ("[::1]:8000", "http://[::1]:8000", "ws://[::1]:8000"),
        ("http://localhost:8000/", "http://localhost:8000", "ws://localhost:8000"),
        ("http://localhost:8000//", "http://localhost:8000", "ws://localhost:8000"),
        ("https://example.org/envs/git/", "https://example.org/envs/git", "wss://example.org/envs/git"),
        ("HTTP://Example.org:80", "http://Example.org:80", "ws://Example.org:80"),
        ("  http://localhost:8000\n", "http://localhost:8000", "ws://localhost:8000"),
    ],
)
def test_every_form_is_understood(written: str, http: str, ws: str) -> None:
    address = parse_address(written)
    assert (address.http, address.ws) == (http, ws)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://",
        "http://:8000",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://localhost:99999",
        "http://localhost:abc",
        "http://localhost:0",
        "http://[::1",
        "http://localhost:8000?session=1",
        "http://localhost:8000/#top",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        parse_address(written)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_loopback_is_this_machine(host: str) -> None:
    assert parse_address(f"http://{host}:1").is_loopback


@pytest.mark.parametrize(
    "host", ["localhost.example.org", "127.0.0.1.example.org", "my-localhost", "10.0.0.1"]
)
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not parse_address(f"http://{host}:1").is_loopback


def test_credentials_are_used_and_never_shown() -> None:
    address = parse_address("https://user:hunter2@example.org/env")
    assert address.http == "https://user:hunter2@example.org/env"
    assert address.shown == "https://example.org/env"
    assert "hunter2" not in repr(address)
    with pytest.raises(UsageError) as refused:
        parse_address("https://user:hunter2@example.org/?q=1")
    assert "hunter2" not in str(refused.value)
