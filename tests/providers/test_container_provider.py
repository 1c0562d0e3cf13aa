"""The template of container providers, with an engine that a user might write: programs for containers."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.errors import ClosedError, NotSupportedError, ProviderError, StartupError, UsageError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.container import ContainerProvider
from openenv_gym.providers.guarded_process import GuardedProcess
from openenv_gym.providers.server_state import ServerState

SERVER = Path(__file__).with_name("tiny_server.py")
SPEC = ServerSpec(image="tiny", name="Tiny Server!")


class ProgramProvider(ContainerProvider):
    """Runs the tiny server instead of an image.

    Args:
        modes: How the server misbehaves.
        broken: Which of the engine's methods fail, each once.
    """

    engine: dict[str, GuardedProcess] = {}  # noqa: RUF012

    def __init__(self, *modes: str, broken: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(**{"ready_timeout": 100.0, "stop_grace": 5.0, **options})
        self._modes = modes
        self._broken = set(broken)
        self.calls: list[str] = []
        self.entered = threading.Event()
        self.may_run = threading.Event()
        self.may_run.set()

    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        self.entered.set()
        self.may_run.wait()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fd = listener.fileno()
            command = [sys.executable, "-S", "-u", str(SERVER), str(fd), *self._modes]  # a log that is whole
            self.engine[name] = GuardedProcess(command, {**os.environ, **environ}, inherit=[fd], grace=0.1)
            self._called("run")  # the engine's answer may get lost
            return "http://{}:{}".format(*listener.getsockname())

    def inspect(self, name: str) -> ServerState:
        self._called("inspect")
        code = self.engine[name].exit_code
        return ServerState("running") if code is None else ServerState("ended", f"exited with code {code}")

    def read_log(self, name: str) -> str:
        self._called("read_log")
        return self.engine[name].log() if name in self.engine else ""

    def end(self, name: str, grace: float) -> None:
        self._called("end")
        if name in self.engine:
            self.engine[name].end()

    def remove(self, name: str) -> None:
        self._called("remove")
        if name in self.engine:
            self.engine.pop(name).end()

    def advice(self, state: ServerState, log: str) -> str:
        return f"try another than {state.status}"

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if method in self._broken:
            self._broken.discard(method)
            raise ProviderError(f"the engine failed to {method}")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    left = dict(ProgramProvider.engine)
    ProgramProvider.engine.clear()
    for process in left.values():
        process.end()
    assert left == {}


def test_server_serves_until_it_is_stopped(ask: Callable[..., dict[str, Any]]):
    provider = ProgramProvider("leaks", environ={"A": "1", "B": "1"})
    assert (provider.name, provider.logs(), provider.state().status) == ("", "", "ended")
    endpoint = provider.start(ServerSpec(image="tiny", name="Tiny Server!", environ={"B": "2"}))
    environ = ask(endpoint)["environ"]
    assert (environ["A"], environ["B"], environ["OPENENV_GYM_TOKEN"]) == ("1", "2", endpoint.token)
    assert provider.name.startswith("openenv-gym-tiny-server-")
    assert provider.running
    with pytest.raises(UsageError, match="one provider a server"):
        provider.start(SPEC)
    provider.stop()
    assert provider.logs() == "token [token]\n"
    assert provider.state() == ServerState("ended", "was stopped")
    provider.stop()
    assert provider.calls[-3:] == ["end", "read_log", "remove"]
    with pytest.raises(ClosedError):
        provider.start(SPEC)


def test_kill_does_not_ask_the_server_to_end():
    provider = ProgramProvider()
    provider.start(SPEC)
    provider.kill()
    assert "end" not in provider.calls


def test_names_are_such_as_engines_take():
    names = set()
    for name in ("Tiny Server!", "Ä", "x" * 100, "x" * 100, "a--b_c"):
        provider = ProgramProvider()
        with provider:
            provider.start(ServerSpec(image="tiny", name=name))
            names.add(provider.name)
    assert len(names) == 5
    for name in names:
        assert len(name) <= 63
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert "--" not in name


def test_death_before_ready_is_reported_with_log_and_advice():
    with pytest.raises(StartupError) as caught:
        ProgramProvider("leaks", "dies").start(SPEC)
    message = "the Tiny Server! exited with code 3 before it was ready; try another than ended"
    assert str(caught.value).startswith(message)
    assert caught.value.log_tail.endswith("last words")
    assert "token [token]" in caught.value.log_tail


def test_server_that_never_gets_ready_meets_the_deadline():
    with pytest.raises(StartupError, match=r"not ready within 0.3 s \(.+\); try another than running"):
        ProgramProvider("mute", ready_timeout=0.3).start(SPEC)


@pytest.mark.parametrize("broken", [("run",), ("inspect",), ("run", "read_log"), ("run", "inspect")])
def test_engine_that_fails_a_start_leaves_nothing(broken: tuple[str, ...]):
    provider = ProgramProvider(broken=broken)
    with pytest.raises(ProviderError, match=f"the engine failed to {broken[0]}"):
        provider.start(SPEC)
    provider.stop()


@pytest.mark.parametrize("broken", ["end", "read_log"])
def test_engine_that_fails_a_stop_in_part_removes_all_the_same(broken: str):
    provider = ProgramProvider(broken=(broken,))
    provider.start(SPEC)
    provider.stop()
    assert provider.calls[-1] == "remove"
    assert ("failed to read_log" in provider.logs()) == (broken == "read_log")


def test_stop_that_failed_can_be_repeated():
    provider = ProgramProvider("leaks", broken=("end", "read_log", "remove"))  # as of an engine that is away
    provider.start(SPEC)
    with pytest.raises(ProviderError, match="failed to remove"):
        provider.stop()
    provider.stop()
    assert provider.logs() == "token [token]\n"
    assert provider.state() == ServerState("ended", "was stopped")


def test_stop_waits_for_an_engine_that_is_making_the_container():
    provider = ProgramProvider()
    provider.may_run.clear()
    with ThreadPoolExecutor(2) as pool:
        starting = pool.submit(provider.start, SPEC)
        provider.entered.wait()
        stopping = pool.submit(provider.stop)
        provider._stopped.wait()
        assert not stopping.done()
        provider.may_run.set()
        stopping.result()
        with pytest.raises(StartupError, match="was stopped while it was starting"):
            starting.result()


def test_stop_during_the_preparation_makes_nothing():
    class Preparing(ProgramProvider):
        def prepare(self, spec: ServerSpec) -> None:
            self.stop()
            self.check_not_stopped()

    provider = Preparing()
    with pytest.raises(StartupError, match="was stopped while it was starting"):
        provider.start(SPEC)
    assert provider.calls == []


def test_forked_child_leaves_the_container_alone():
    provider = ProgramProvider()
    provider.start(SPEC)
    child = os.fork()
    if child == 0:
        provider.stop()
        provider.kill()
        os._exit(0 if provider.logs() == "" and "remove" not in provider.calls else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert provider.running
    provider.stop()


def test_what_runs_no_images_is_told():
    with pytest.raises(NotSupportedError, match="ProgramProvider runs images"):
        ProgramProvider().start(ServerSpec(app="module:app"))
