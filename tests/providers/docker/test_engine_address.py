"""Where the engine is looked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from openenv_gym.errors import MissingExtraError, NotSupportedError, ProviderError
from openenv_gym.providers.docker.engine_address import find_engine


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but what a test makes, in this folder."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def test_the_machines_own_by_default():
    address = find_engine()
    assert address.url == "http+unix:///var/run/docker.sock"
    assert (address.host, address.is_local, address.certificates) == ("127.0.0.1", True, ())


def test_what_is_named_comes_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://build:2375")
    address = find_engine()
    assert (address.url, address.host, address.is_local) == ("http://build:2375", "build", False)
    assert find_engine("unix:///own.sock").url == "http+unix:///own.sock"
    assert find_engine("tcp://127.0.0.1:1234").is_local


def test_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://build:2376")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    unverified = ("", f"{tmp_path}/cert.pem", f"{tmp_path}/key.pem")
    assert find_engine().certificates == unverified
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    address = find_engine()
    assert address.url == "https://build:2376"
    assert address.certificates == (f"{tmp_path}/ca.pem", *unverified[1:])
    assert find_engine("tcp://build:2376") == address
    assert find_engine("tcp://other:2375").certificates == ()


def test_context_of_the_docker_command(settings: Path):
    context_api = pytest.importorskip("docker.context").ContextAPI
    if not hasattr(context_api, "kwargs_from_context"):
        pytest.skip("this Docker SDK knows no contexts")
    (settings / "config.json").write_text("{}")  # contexts are kept beside it
    context_api.create_context("mine", host="unix:///context.sock")
    assert find_engine().url == "http+unix:///var/run/docker.sock"
    (settings / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    assert find_engine().url == "http+unix:///context.sock"


def test_what_is_no_address():
    with pytest.raises(ProviderError, match="address is wrong"):
        find_engine("nonsense://")
    with pytest.raises(NotSupportedError, match="cannot be reached over ssh"):
        find_engine("ssh://user@host")


def test_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'openenv-gym\[docker\]'"):
        find_engine()
