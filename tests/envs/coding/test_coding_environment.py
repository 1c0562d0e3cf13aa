"""Running code: what stays, what is shown, how it ends, what it is worth."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest

from coding_env import CodeAction
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.settings import CodingSettings
from coding_env.server.shared_state import SharedState
from openenv_gym.errors import InvalidActionError, NotResetError, SandboxError, UsageError
from tests.envs.coding.conftest import Session

Open = Callable[..., Session]


@contextmanager
def own_session(seed: int | None = None, **settings: Any) -> Iterator[Session]:
    """A session of a server of its own, with these settings."""
    shared = SharedState(CodingSettings(spares=0, **settings))
    with closing(shared), closing(CodingEnvironment(shared)) as environment:
        environment.reset(seed=seed)
        yield Session(environment)


def test_names_and_files_last_an_episode_and_no_longer(session: Session) -> None:
    session.run("x = 41\nopen('note', 'w').write('kept')")
    assert session.output("print(x + 1, open('note').read())") == "42 kept\n"
    observation = session.environment.reset()
    assert (observation.stdout, observation.stderr, observation.exit_code) == ("", "", 0)
    assert session.run("x").stderr.endswith("NameError: name 'x' is not defined\n")
    assert session.output("import os; os.listdir()") == "[]\n"


def test_two_sessions_share_nothing(opened: Open) -> None:
    one, other = opened(), opened()
    one.run("mine = 1; open('mine', 'w').close()")
    assert other.run("mine").exit_code == 1
    assert other.output("import os; os.listdir()") == "[]\n"
    assert one.output("mine") == "1\n"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 + 1", "2\n"),
        ("print('a')\n'b'", "a\n'b'\n"),
        ("x = 5", ""),
        ("None", ""),
        ("print('no value')", "no value\n"),
        ("1 + 1;", "2\n"),
        ("[n for n in range(3)]", "[0, 1, 2]\n"),
        ("for n in (1, 2):\n    n", ""),
        ("", ""),
        ("# only a comment", ""),
        ("import os; a = os.system('echo from a program')", "from a program\n"),
        (
            "print('before'); import os; a = os.system('echo between'); print('after')",
            "before\nbetween\nafter\n",
        ),
        ("__name__, len([]), exit is not None", "('__main__', 0, True)\n"),
        ("import sys; sys.argv, [n for n in sys.modules if 'coding_env' in n]", "([''], [])\n"),
        ("input('question? ')", "question? "),
    ],
    ids=lambda value: value[:24] or "nothing" if isinstance(value, str) else None,
)
def test_what_is_shown(session: Session, code: str, shown: str) -> None:
    assert session.run(code).stdout == shown


def test_a_traceback_is_the_codes_own(session: Session) -> None:
    session.run("def divide(a, b):\n    return a / b")
    observation = session.run("x = 1\ntry:\n    {}['key']\nexcept KeyError:\n    divide(x, 0)")
    assert observation.exit_code == 1
    # Which parts of a line are marked differs from version to version.
    lines = [
        line for line in observation.stderr.splitlines(keepends=True) if line.strip(" ~^\n") or line == "\n"
    ]
    assert "".join(lines) == (
        "Traceback (most recent call last):\n"
        '  File "<step 2>", line 3, in <module>\n'
        "    {}['key']\n"
        "KeyError: 'key'\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "<step 2>", line 5, in <module>\n'
        "    divide(x, 0)\n"
        '  File "<step 1>", line 2, in divide\n'
        "    return a / b\n"
        "ZeroDivisionError: division by zero\n"
    )


def test_a_syntax_error_points_at_its_place_and_nothing_has_run(session: Session) -> None:
    observation = session.run("print('ran')\nx = = 1")
    assert observation.stderr == (
        '  File "<step 1>", line 2\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
    )
    assert (observation.stdout, observation.exit_code) == ("", 1)
    assert session.run("return 1").stderr.endswith("SyntaxError: 'return' outside function\n")
    assert session.run("a\0b").stderr.endswith("source code string cannot contain null bytes\n")


def test_python_as_its_users_know_it(session: Session) -> None:
    """Pickle, dataclasses, async, inspect, future imports, processes: what needs a real __main__."""
    session.run("from __future__ import annotations\nfrom dataclasses import dataclass")
    session.run("@dataclass\nclass Point:\n    x: NotDefined\n")
    assert session.output("Point.__annotations__") == "{'x': 'NotDefined'}\n"
    assert session.output("import pickle; pickle.loads(pickle.dumps(Point(3)))") == "Point(x=3)\n"
    session.run("def f():\n    return 'the source'\n")
    assert (
        session.output("import inspect; print(inspect.getsource(f))")
        == "def f():\n    return 'the source'\n\n"
    )
    assert session.output("import asyncio\nasync def g(): return 7\nasyncio.run(g())") == "7\n"
    code = "import os\nif os.fork() == 0:\n    print('child', flush=True)\nelse:\n    print(os.wait()[1])"
    assert session.output(code) == "child\n0\n"
    assert session.output("open('mine.py', 'w').write('value = 5'); import mine; mine.value") == "5\n"


@pytest.mark.parametrize(
    ("code", "exit_code", "stderr"),
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("exit(2)", 2, ""),
        ("raise SystemExit", 0, ""),
        ("raise KeyboardInterrupt", 1, None),
    ],
)
def test_exits_keep_the_state(session: Session, code: str, exit_code: int, stderr: str | None) -> None:
    session.run("x = 1")
    observation = session.run(code)
    assert observation.exit_code == session.environment.state.last_exit_code == exit_code
    assert stderr is None or observation.stderr == stderr
    assert session.output("x") == "1\n"


def test_an_endless_loop_is_interrupted_and_names_are_kept(opened: Open) -> None:
    session = opened(step_seconds=0.3)
    session.run("x = 1")
    observation = session.run("print('begun')\nwhile True:\n    x += 1")
    assert observation.stdout == "begun\n"
    assert observation.exit_code == 124
    assert observation.stderr.startswith('Traceback (most recent call last):\n  File "<step 2>", line ')
    assert observation.stderr.endswith(
        "KeyboardInterrupt\n[stopped: it ran longer than 0.3 s; variables are kept]\n"
    )
    assert observation.stderr.count("File") == 1
    metadata = observation.metadata
    assert (metadata["stopped_by"], metadata["state_lost"]) == ("step_seconds", False)
    assert session.output("x > 1") == "True\n"


def test_code_that_does_not_take_an_interrupt_is_killed(opened: Open) -> None:
    session = opened(step_seconds=0.3)
    session.run("x = 1")
    observation = session.run(
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: print('no'))\nwhile True: x += 1"
    )
    assert (observation.stdout, observation.exit_code) == ("no\n", 124)
    assert observation.stderr == (
        "[stopped: it ran longer than 0.3 s; variables and files are lost, the next step has a fresh"
        " interpreter]\n"
    )
    assert (observation.metadata["state_lost"], observation.metadata["interpreter"]) == (True, 1)
    after = session.run("x")
    assert after.stderr.endswith("NameError: name 'x' is not defined\n")
    assert (after.metadata["state_lost"], after.metadata["interpreter"]) == (False, 2)


def test_the_deadline_of_a_step_is_kept(session: Session) -> None:
    started = time.monotonic()
    observation = session.environment.step(CodeAction(code="import time; time.sleep(60)"), timeout_s=0.8)
    assert time.monotonic() - started < 10
    assert (observation.exit_code, observation.metadata["stopped_by"]) == (124, "step_seconds")


@pytest.mark.parametrize(
    ("code", "exit_code", "told"),
    [
        ("import os; print('said', flush=True); os._exit(7)", 7, "ended with exit code 7"),
        ("import os; print('said'); os._exit(0)", 0, "ended with exit code 0"),
        ("import ctypes; print('said'); ctypes.string_at(0)", -11, "killed by SIGSEGV"),
        ("import os; print('said'); os.kill(os.getpid(), 9)", -9, "killed by SIGKILL"),
        ("import os; print('said'); os.abort()", -6, "killed by SIGABRT"),
    ],
    ids=["os._exit(7)", "os._exit(0)", "segfault", "kill", "abort"],
)
def test_an_interpreter_that_ends_is_told_and_replaced(
    session: Session, code: str, exit_code: int, told: str
) -> None:
    observation = session.run(code)
    assert (observation.stdout, observation.exit_code) == ("said\n", exit_code)
    assert told in observation.stderr
    assert "the next step has a fresh interpreter" in observation.stderr
    assert observation.metadata["state_lost"]
    after = session.run("print('works')")
    assert (after.stdout, after.metadata["interpreter"]) == ("works\n", 2)
    assert session.environment.state.step_count == 2


def test_an_interpreter_that_ends_between_two_steps_is_told_before_any_code_runs(session: Session) -> None:
    session.run("x = 1\nimport threading, os\nthreading.Timer(0.05, os._exit, [3]).start()")
    deadline = time.monotonic() + 20
    while session.environment._bench.alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    observation = session.run("print('ran')")
    assert (observation.stdout, observation.exit_code) == ("", 3)
    assert observation.stderr.startswith("[not run: the interpreter has ended since the last step; variables")
    assert session.output("print('works')") == "works\n"


def test_long_output_is_cut_in_the_middle_and_says_so(session: Session) -> None:
    observation = session.run("print('first' + 'x' * 100_000 + 'last')\n1 / 0")
    assert observation.stdout.startswith("firstx")
    assert observation.stdout.endswith("xlast\n")
    assert "\n[... 98010 bytes are left out here: 2000 are kept ...]\n" in observation.stdout
    assert len(observation.stdout) < 2100
    assert observation.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert observation.metadata["truncated_output"]


def test_what_threads_print_later_comes_with_the_next_step(session: Session) -> None:
    session.run(
        "import threading\nnext_step = threading.Event()\n"
        "t = threading.Thread(target=lambda: print('late', bool(next_step.wait(30))))\nt.start()"
    )
    assert session.output("next_step.set()\nt.join()") == "late True\n"


def test_a_seed_fixes_what_is_drawn(opened: Open) -> None:
    code = "import random; random.random(), hash('a'), list({'a', 'b', 'c'})"
    drawn = [opened(seed=seed).output(code) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    session = opened(seed=5)
    unseeded = []
    for _ in range(2):
        session.environment.reset()
        unseeded.append(session.output(code))
    assert unseeded[0] != unseeded[1]
    other = opened(seed=5)
    other.environment.reset()
    assert other.output(code) == unseeded[0]
    expected = opened(seed=42).output("import random; random.random()")
    assert expected == "0.6394267984578837\n"


@pytest.mark.parametrize(
    ("code", "reward", "violation"),
    [
        ("1 + 1", 0.1, None),
        ("1 +", -0.1, None),
        ("x = '" + "a" * 100 + "'", 0.0, None),
        ("import os", -0.9, "import os"),
        ("import json, os.path", -0.9, "import os"),
        ("from subprocess import run", -0.9, "import subprocess"),
        ("from . import os", 0.1, None),
        ("print('import os')", 0.1, None),
        ("eval('1')", -0.9, "eval"),
        ("open('x', 'w')", -0.9, "open"),
        ("import io; io.open('x', 'w')", -0.9, "open"),
        ("opener = 1", 0.1, None),
        ("import os\nx = = 1", -1.1, "import os"),
        ("f(" * 3000, -0.2, None),
        ("x = 1\n" * 10_000, 0.0, None),
        ("x = 1\n" * 10_000 + "'import os'", -1.0, "import os"),
        ("__import__('json')\n# " + "a" * 100, -1.0, "__import__"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_rewards(
    servers: Callable[[str], SharedState], code: str, reward: float, violation: str | None
) -> None:
    score = servers("bubblewrap").judge.score(code)
    assert (score.reward, score.violation) == (pytest.approx(reward), violation or "")


def test_the_reward_and_its_reason_travel(session: Session) -> None:
    observation = session.run("import os")
    assert observation.reward == pytest.approx(-0.9)
    assert observation.metadata["safety_violation"] == "import os"
    assert observation.metadata["last_code"] == "import os"
    observation = session.run("1")
    assert observation.reward == 0.1
    assert "safety_violation" not in observation.metadata


def test_metadata_names_the_mechanism(session: Session, mechanism: str) -> None:
    assert session.environment.reset().metadata == {
        "executor": "python",
        "sandbox": mechanism,
        "interpreter": 1,
    }
    assert session.run("1").metadata["sandbox"] == mechanism


def test_paths_look_the_same_under_every_mechanism(session: Session) -> None:
    code = "import os, tempfile; print(os.getcwd(), os.path.dirname(tempfile.mkdtemp()), os.environ['HOME'])"
    assert session.output(code) == "/tmp /tmp /tmp\n"


def test_packages_can_be_imported_and_not_changed(mechanism: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # for the sandbox's user
        (folder / "library.py").write_text("VALUE = 12")
        with own_session(sandbox=mechanism, packages=(folder,), score=False) as session:
            observation = session.run("import library; library.VALUE")
            assert (observation.stdout, observation.reward) == ("12\n", None)
            observation = session.run("open(library.__file__, 'w')")
            assert observation.stderr.splitlines()[-1].split(":")[0] in ("OSError", "PermissionError")
        assert (folder / "library.py").read_text() == "VALUE = 12"


def test_numpys_generator_is_seeded_at_its_import() -> None:
    folder = Path(numpy.__file__).parents[1]
    with own_session(seed=7, sandbox="bubblewrap", packages=(folder,)) as session:
        assert (
            session.output("import numpy; numpy.random.rand()") == f"{numpy.random.RandomState(7).rand()!r}\n"
        )


def test_wrong_calls_are_refused(session: Session) -> None:
    with pytest.raises(InvalidActionError, match="executor must be 'python' or 'smolagents'"):
        session.environment.reset(executor="perl")
    with pytest.raises(InvalidActionError, match="above 0"):
        session.environment.reset(step_seconds=0.0)
    assert session.output("'still there'") == "'still there'\n"
    with closing(CodingEnvironment()) as environment, pytest.raises(NotResetError):
        environment.step(CodeAction(code="1"))


def test_settings_are_read_from_the_environment(tmp_path: Path) -> None:
    settings = CodingSettings.from_environ(
        {
            "CODING_EXECUTOR": "smolagents",
            "CODING_PACKAGES": f"{tmp_path}",
            "CODING_SCORE": "false",
            "CODING_SPARES": "0",
            "CODING_STEP_SECONDS": "2.5",
        }
    )
    assert (settings.executor, settings.packages, settings.score) == ("smolagents", (tmp_path,), False)
    assert (settings.spares, settings.limits.step_seconds) == (0, 2.5)
    assert CodingSettings.from_environ({}) == CodingSettings()
    for name, value in {
        "CODING_EXECUTOR": "perl",
        "CODING_PACKAGES": f"{tmp_path}/missing",
        "CODING_SPARES": "-1",
        "CODING_STEP_SECONDS": "nan",
        "CODING_MEMORY_BYTES": "inf",
    }.items():
        with pytest.raises(UsageError, match=name):
            CodingSettings.from_environ({name: value})


def test_a_python_that_cannot_run_is_told() -> None:
    with pytest.raises(SandboxError, match="CODING_PYTHON"), own_session(python="/no/such/python"):
        pass
