"""Starting, failing to start, and stopping real server processes."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import socket
import sys
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openenv_gym.errors import ClosedError, NotSupportedError, StartupError, UsageError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.process import ProcessProvider

SPEC = ServerSpec(name="tiny server")


def wait_until_running(provider: ProcessProvider) -> None:
    while not provider.running:
        time.sleep(0.01)


def test_server_answers_on_a_loopback_port_of_its_own(provide, ask):
    first, second = (provide().start(SPEC) for _ in range(2))
    assert first.base_url.startswith("http://127.0.0.1:")
    assert first.base_url != second.base_url
    assert ask(first)["pid"] != ask(second)["pid"]


def test_token_is_needed_and_in_no_argument_log_or_message(provide, ask):
    provider = provide("leaks")
    endpoint = provider.start(SPEC)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(endpoint, token="guess")
    facts = ask(endpoint)
    for pid in (facts["pid"], facts["guard"]):
        assert endpoint.token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert endpoint.token not in repr(endpoint)
    provider.stop()
    assert provider.logs() == "token [token]\n"


def test_server_that_opens_the_port_itself(provide, ask):
    assert ask(provide(listen="port={port}").start(SPEC))["argv"][1].startswith("port=")


def test_environment_variables_are_inherited_and_overridden(provide, ask, monkeypatch):
    monkeypatch.setenv("GITEA_URL", "http://inherited")
    monkeypatch.setenv("TASK_REPOS", "inherited")
    monkeypatch.setenv("OPENENV_GYM_TOKEN", "not for the child")
    monkeypatch.setenv("OPENENV_GYM_SIBLINGS", "8001")
    monkeypatch.setenv("OPENENV_GYM_GROUP", "the parent's")
    endpoint = provide().start(ServerSpec(environ={"TASK_REPOS": "given"}))
    environ = ask(endpoint)["environ"]
    assert (environ["GITEA_URL"], environ["TASK_REPOS"]) == ("http://inherited", "given")
    assert environ["OPENENV_GYM_TOKEN"] == endpoint.token
    assert not {"OPENENV_GYM_SIBLINGS", "OPENENV_GYM_GROUP"} & environ.keys()


def test_death_before_ready_is_reported_with_the_log(provide):
    provider = provide("dies")
    with pytest.raises(StartupError, match="tiny server exited with code 3") as caught:
        provider.start(SPEC)
    assert caught.value.log_tail == "last words"
    assert not provider.running


def test_death_by_signal_before_ready_is_named(provide):
    with pytest.raises(StartupError, match="killed by signal 9"):
        provide("killed").start(SPEC)


def test_missing_program_is_reported():
    with pytest.raises(StartupError, match="cannot run /nonexistent/program"):
        ProcessProvider(command=["/nonexistent/program", "{fd}"]).start(SPEC)


@pytest.mark.parametrize(
    ("mode", "reason", "deadline"), [("mute", "timed out", 0.5), ("sick", "answered with 503", 4.0)]
)
def test_server_that_never_gets_ready_meets_the_deadline(provide, mode, reason, deadline):
    provider = provide("leaks", mode, ready_timeout=deadline)
    with pytest.raises(StartupError, match=reason) as caught:
        provider.start(SPEC)
    assert caught.value.log_tail in ("token [token]", "")  # a busy machine may not get that far
    assert not provider.running


def test_failed_start_leaves_no_process_of_the_tree(provide, alive):
    provider = provide("tree", "dies", stop_grace=0.1)
    with pytest.raises(StartupError):
        provider.start(SPEC)
    tree = provider.logs().partition("tree ")[2].split("\n")[0].split()
    assert len(tree) == 2
    assert not any(alive(int(pid)) for pid in tree)


def test_stop_takes_stubborn_children_and_daemons_along(provide, ask, alive):
    provider = provide("tree", "deaf", stop_grace=0.1)
    facts = ask(provider.start(SPEC))
    assert all(alive(pid) for pid in facts["tree"])
    provider.stop()
    assert not any(alive(pid) for pid in [facts["pid"], facts["guard"], *facts["tree"]])


def test_port_is_closed_after_stop(provide):
    provider = provide()
    port = int(provider.start(SPEC).base_url.rpartition(":")[2])
    provider.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_stop_may_be_repeated_and_overlap(provide):
    provider = provide("deaf", stop_grace=0.1)
    provider.start(SPEC)
    with ThreadPoolExecutor(8) as pool:
        for stopped in [pool.submit(provider.stop) for _ in range(8)]:
            stopped.result()
    assert not provider.running
    provider.stop()


def test_provider_is_for_one_server(provide):
    provider = provide()
    provider.start(SPEC)
    with pytest.raises(UsageError, match="one provider a server"):
        provider.start(SPEC)
    assert provider.running
    provider.stop()
    with pytest.raises(ClosedError):
        provider.start(SPEC)


def test_stop_before_start_keeps_a_late_start_from_leaving_a_server(provide):
    provider = provide()
    provider.stop()
    with pytest.raises(ClosedError):
        provider.start(SPEC)


def test_stop_ends_a_start_in_another_thread(provide):
    provider = provide("mute", stop_grace=0.1)
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(provider.start, SPEC)
        wait_until_running(provider)
        provider.stop()
        with pytest.raises(StartupError, match="stopped while it was starting"):
            start.result()


async def test_cancelled_start_leaves_nothing_once_stopped(provide):
    provider = provide("mute", stop_grace=0.1)
    start = asyncio.create_task(asyncio.to_thread(provider.start, SPEC))
    await asyncio.to_thread(wait_until_running, provider)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await asyncio.to_thread(provider.stop)
    assert not provider.running


def test_server_outlives_the_thread_that_started_it(provide, ask):
    provider = provide()
    endpoints = []
    thread = threading.Thread(target=lambda: endpoints.append(provider.start(SPEC)))
    thread.start()
    thread.join()
    assert ask(endpoints[0])["pid"]
    assert provider.running


def test_stray_signals_do_not_end_the_guard(provide, ask):
    facts = ask(endpoint := provide().start(SPEC))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTSTP):
        os.kill(facts["guard"], number)
    assert ask(endpoint)["pid"] == facts["pid"]
    assert os.getsid(facts["guard"]) not in (os.getsid(0), os.getsid(facts["pid"]))


def test_sigterm_to_the_guard_ends_the_server(provide, ask, wait_until_gone):
    provider = provide()
    facts = ask(provider.start(SPEC))
    os.kill(facts["guard"], signal.SIGTERM)
    wait_until_gone([facts["pid"], facts["guard"]])
    assert not provider.running
    provider.stop()


def test_server_ends_with_a_killed_guard(provide, ask, wait_until_gone):
    provider = provide()
    facts = ask(provider.start(SPEC))
    os.kill(facts["guard"], signal.SIGKILL)
    wait_until_gone([facts["pid"]])
    provider.stop()


def test_log_is_bounded_and_keeps_the_end(provide):
    provider = provide("chatty")  # writes 6 MB
    provider.start(SPEC)
    provider.stop()
    assert len(provider.logs()) <= 2**20
    assert provider.logs().endswith("00059999 " + "x" * 90 + "\n")


def test_copies_are_new_providers_of_the_same_kind(provide, ask):
    provider = provide("leaks")
    endpoint = provider.start(SPEC)
    for copied in (copy.deepcopy(provider), pickle.loads(pickle.dumps(provider))):
        with copied:
            assert not copied.running
            twin = copied.start(SPEC)
            assert twin.token != endpoint.token
            assert ask(twin)["argv"][2:] == ["leaks"]


def test_nothing_is_left_behind(provide, ask, monkeypatch, tmp_path):
    def left() -> tuple[list[Path], list[threading.Thread]]:
        return sorted(Path("/proc/self/fd").iterdir()), threading.enumerate()

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    provide().start(SPEC)  # whatever is opened once is open now
    before = left()
    for mode in ("tree", "dies"):
        provider = provide(mode, stop_grace=0.1)
        try:
            ask(provider.start(SPEC))
        except StartupError:
            assert mode == "dies"
        provider.stop()
        with pytest.raises(ChildProcessError):  # not even a zombie
            os.waitpid(provider._server._guard.pid, os.WNOHANG)
    assert left() == before
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_run_is_refused_before_anything_starts():
    with pytest.raises(NotSupportedError, match=r"ServerSpec\.app"):
        ProcessProvider().start(ServerSpec(image="echo-env:latest"))
    with pytest.raises(UsageError, match=r"\{fd\} or \{port\}"):
        ProcessProvider(command=[sys.executable, "-m", "http.server"])
    for options in ({"workers": 0}, {"workers": 2, "command": ["run", "{fd}"]}):
        with pytest.raises(UsageError, match="workers="):
            ProcessProvider(**options)


def test_equal_specs_are_equal_keys():
    one, other = (ServerSpec(app="a:b", environ={"X": "1"}) for _ in range(2))
    assert {one: 1}[other] == 1
    assert one != ServerSpec(app="a:b", environ={"X": "2"})
    assert pickle.loads(pickle.dumps(one)) == one
    assert "1" not in repr(ServerSpec(environ={"PASSWORD": "1"}))
