"""The reaper's part of the work, against an engine of a few lines on a Unix socket."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from openenv_gym.providers.docker import reaper


class Engine(socketserver.ThreadingUnixStreamServer):
    """Answers deletions with what a script says for each path, the last answer again and again."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.answers: dict[str, list[int]] = {}
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        assert isinstance(self.server, Engine)
        self.server.asked.append(self.path)
        answers = self.server.answers[self.path]
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(reaper, "PAUSE", 0.001)
    monkeypatch.setattr(reaper, "IN_FLIGHT", 0.05)
    with Engine(str(tmp_path / "socket")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def remove_all(engine: Engine) -> None:
    reaper.remove_all(list(engine.answers), f"http+unix://{engine.server_address}", [])


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_what_was_not_forgotten_is_left(piece: int):
    told = b"+/containers/a\n+/containers/b\n-/containers/a\n+/networks/c\n+/cut"
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        for begin in range(0, len(told), piece):
            os.write(writing, told[begin : begin + piece])
        os.close(writing)
        assert reaper.follow(pipe.fileno()) == ["/containers/b", "/networks/c"]


def test_busy_engines_are_asked_again(engine: Engine):
    engine.answers = {"/containers/a": [409, 500, 204], "/containers/b": [204]}
    remove_all(engine)
    assert sorted(engine.asked) == ["/containers/a"] * 3 + ["/containers/b"]


def test_what_appears_late_is_removed(engine: Engine):
    engine.answers = {"/containers/a": [404, 404, 204]}
    remove_all(engine)
    assert len(engine.asked) == 3


def test_what_never_appears_is_given_up(engine: Engine):
    engine.answers = {"/containers/a": [404]}
    remove_all(engine)
    assert len(engine.asked) > 1


def test_networks_go_after_containers(engine: Engine):
    engine.answers = {"/networks/n": [204], "/containers/a": [409, 409, 204], "/services/s": [409, 200]}
    remove_all(engine)
    assert engine.asked[-1] == "/networks/n"


def test_engine_that_is_away_is_given_up(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reaper, "PATIENCE", 0.05)
    reaper.remove_all(["/containers/a"], f"http+unix://{tmp_path}/missing", [])
    reaper.remove_all(["/containers/a"], "http://127.0.0.1:1", [])
    assert engine.asked == []
