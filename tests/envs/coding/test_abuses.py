"""Hostile code, abuse by abuse: none gets out, none disturbs a session beside it, each end is told."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from coding_env import CodeAction, CodeObservation
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.shared_state import SharedState
from openenv_gym.testing import process_tree
from tests.envs.coding.abuses import ABUSES, Abuse
from tests.envs.coding.conftest import Session
from tests.sandbox import sandbox_scene

SECRET = f"secret-{uuid.uuid4().hex}"


class Attacker:
    """A session in mid-episode that abuses are tried in; a new episode where the last one left traces."""

    def __init__(self, environment: CodingEnvironment, step_seconds: float) -> None:
        self._environment = environment
        self._step_seconds = step_seconds
        self._timeout: float | None = None
        self._is_clean = False

    def abuse(self, abuse: Abuse) -> CodeObservation:
        """One step of it."""
        if not self._is_clean:
            self._environment.reset(step_seconds=self._step_seconds)
            assert self._prints("x = 1; print(x)", "1\n")
        self._is_clean = False
        # A short deadline leaves interrupted code little time to end.
        self._timeout = 2.5 * self._step_seconds if abuse.stubborn else None
        return self._environment.step(CodeAction(code=abuse.code), timeout_s=self._timeout)

    def recovers(self, abuse: Abuse) -> bool:
        """Whether the session goes on, with its names or with a fresh interpreter as it was said."""
        if abuse.mute:
            self._environment.reset()
            return self._prints("print('alive')", "alive\n")
        if abuse.kept:
            self._is_clean = self._prints("print(x)", "1\n")
            return self._is_clean
        return self._prints("print('alive')", "alive\n")

    def _prints(self, code: str, expected: str) -> bool:
        """Whether a step soon prints what it should; one or the other may be late, or find the state lost."""
        action = CodeAction(code=code)
        return any(self._environment.step(action, self._timeout).stdout == expected for _ in range(4))


class Victim:
    """A session beside it, on the same server."""

    def __init__(self, environment: CodingEnvironment) -> None:
        self._session = Session(environment)
        environment.reset()
        self._session.run(f"secret = {SECRET!r}; open('kept', 'w').write(secret)")

    def is_undisturbed(self) -> bool:
        """Whether it is as it was, and is scored as ever."""
        observation = self._session.run("print(secret, open('kept').read())")
        return (
            observation.stdout == f"{SECRET} {SECRET}\n"
            and observation.metadata["interpreter"] == 1
            and observation.reward == pytest.approx(-0.9)
        )


class Server:
    """Two attackers, one of them in a hurry, and a victim."""

    def __init__(self, shared: SharedState, stack: contextlib.ExitStack) -> None:
        environments = [stack.enter_context(closing(CodingEnvironment(shared))) for _ in range(3)]
        self.quick, self.patient = Attacker(environments[0], 0.5), Attacker(environments[1], 10.0)
        self.victim = Victim(environments[2])


@pytest.fixture(scope="module")
def attacked(servers: Callable[[str], SharedState]) -> Iterator[Callable[[str], Server]]:
    opened: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def server(mechanism: str) -> Server:
            if mechanism not in opened:
                opened[mechanism] = Server(servers(mechanism), stack)
            return opened[mechanism]

        yield server


@pytest.mark.parametrize("name", list(ABUSES))
def test_an_abuse_stays_in_its_session(mechanism: str, name: str, attacked: Callable[[str], Server]) -> None:
    abuse, server = ABUSES[name], attacked(mechanism)
    attacker = server.quick if abuse.quick else server.patient
    seen = attacker.abuse(abuse)
    complaint = abuse.complaint(seen)
    assert not complaint, (complaint, seen.stdout[-1000:], seen.stderr[-1000:], seen.metadata)
    assert attacker.recovers(abuse)
    assert server.victim.is_undisturbed()


def test_no_attack_gets_out(opened: Callable[..., Session]) -> None:
    """The sandbox's own battery, run as an agent would."""
    with sandbox_scene.folder() as base:
        scene = sandbox_scene.Scene(base)
        try:
            facts = json.dumps(scene.facts())
            session = opened()
            session.run(
                "import contextlib, io, json, sys\n"
                f"sys.argv = ['', {facts!r}]\n"
                "printed = io.StringIO()\n"
                f"attacks = compile({sandbox_scene.ATTACKS.read_text()!r}, 'attacks', 'exec')"
            )
            ran = session.run("with contextlib.redirect_stdout(printed):\n    exec(attacks)")
            assert ran.exit_code == 0, ran.stderr
            assert int(session.output("results = json.loads(printed.getvalue()); len(results)")) > 60
            breaches = session.output(
                "del results['find_an_open_descriptor']\n"  # its own interpreter's channel
                "del results['signal_everybody']\n"  # in its own sandbox; the damage would tell otherwise
                "[item for item in results.items() if not item[1].startswith('refused')]"
            )
            assert breaches == "[]\n"
            assert set(scene.damage().values()) == {"refused"}
        finally:
            scene.close()


def test_sessions_cannot_reach_each_other(opened: Callable[..., Session]) -> None:
    attacker, victim = opened(), opened()
    victim.run(f"open('mine', 'w').write('{SECRET}')\nimport os; os.environ['SECRET'] = '{SECRET}'")
    sandbox = victim.environment._bench._sandbox
    folder = victim.output("import os; print(os.path.realpath('.'))").strip()
    home = sandbox.path_inside("/tmp")
    pids = sorted(process_tree.descendants(sandbox._helper._process.pid))
    assert pids
    found = attacker.output(
        "import os, signal\n"
        "def seen(path):\n"
        "    try:\n"
        f"        return {SECRET!r}.encode() in open(path, 'rb').read()\n"
        "    except OSError:\n"
        "        return False\n"
        "def killed(pid):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "    except OSError:\n"
        "        return False\n"
        "    return not os.path.exists('/proc/self')\n"
        f"paths = [{folder!r} + '/mine', {home!r} + '/mine', '/tmp/mine', '/dev/shm/mine']\n"
        "names = 'environ', 'cwd/mine', 'root/tmp/mine'\n"
        f"paths += [f'/proc/{{pid}}/{{name}}' for pid in {pids!r} for name in names]\n"
        f"print(any(map(seen, paths)), any(map(killed, {pids!r})))"
    )
    assert found == "False False\n"
    assert victim.output("open('mine').read()") == f"'{SECRET}'\n"


def test_nothing_of_the_servers_environment_is_seen(
    opened: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_TOKEN", SECRET)
    names = opened().output("import os; sorted(os.environ)")
    assert names == (
        "['HOME', 'LANG', 'LC_CTYPE', 'PATH', 'PYTHONHASHSEED', 'PYTHONUTF8', 'TMPDIR']\n"
        if "LC_CTYPE" in names
        else "['HOME', 'LANG', 'PATH', 'PYTHONHASHSEED', 'PYTHONUTF8', 'TMPDIR']\n"
    )


DAEMONS = """
import atexit, os, subprocess, sys, threading, time
marker = {marker!r}
program = [sys.executable or '/usr/bin/python3', '-c', 'import time; time.sleep(100)', marker]
subprocess.Popen(program)
try:
    subprocess.Popen(program, start_new_session=True)
except OSError:
    pass  # refused, where that is how it stays in reach
if os.fork() == 0:
    try:
        os.setsid()
    except OSError:
        pass
    if os.fork() == 0:
        os.closerange(0, 1000)
        os.execv('/bin/sh', ['sh', '-c', 'sleep 100; :', marker])
    os._exit(0)
atexit.register(time.sleep, 100)
threading.Thread(target=time.sleep, args=(100,)).start()
"""


@pytest.mark.parametrize("end", ["reset", "close", "crash"])
def test_nothing_outlives_its_episode(opened: Callable[..., Session], end: str) -> None:
    session = opened()
    marker = f"daemon-{uuid.uuid4().hex}"
    session.output(DAEMONS.format(marker=marker) + "time.sleep(0.1)")
    assert sandbox_scene.living(marker)
    started = time.monotonic()
    match end:
        case "reset":
            session.environment.reset()
        case "close":
            session.environment.close()
        case "crash":
            session.run("os._exit(1)")
    while sandbox_scene.living(marker):
        assert time.monotonic() - started < 20
        time.sleep(0.02)


def test_a_flood_before_any_request_is_not_taken_for_a_reply(opened: Callable[..., Session]) -> None:
    """Bytes that hostile code leaves on the channel for the next step are nobody's reply."""
    session = opened()
    session.run(ABUSES["a_closed_channel"].code.replace("os.close(channel)", "later = channel"))
    session.run("os.write(later, reply.pack(3, 0))")
    observation = session.run("print('never a lie about another step')")
    assert observation.metadata["state_lost"] or observation.stdout.startswith("never")
    assert session.output("print('alive')") == "alive\n"
