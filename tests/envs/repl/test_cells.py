"""Cells in real kernels in real sandboxes: what they show, how they end, what they cannot do."""

from __future__ import annotations

import base64

import pytest

from repl_env import REPLAction
from repl_env.server.repl_environment import REPLEnvironment
from tests.envs.repl.conftest import Run


def test_a_notebooks_day(run: Run) -> None:
    """One kernel for many questions: starting it is what takes time."""
    assert run("x = 41\nprint('hello')\nx + 1").result.stdout == "hello\n42\n"
    assert run("def f():\n    return g()\nf()").result.exception == "NameError: name 'g' is not defined"

    error = run("f()")
    assert "NameError" in error.result.stderr
    assert "in f()" in error.result.stderr, "the line of the earlier cell is shown"
    assert "\x1b" not in error.result.stderr
    assert error.reward == -0.05

    assert run("x = 43; y = [x]").result.locals_snapshot == {"x": "43", "y": "[43]"}
    assert run("del y").available_variables == ["answer", "f", "x"]
    assert run("!echo from a shell; echo oops >&2").result.stdout == "from a shell\n"
    assert "SyntaxError" in run("x = = 1").result.stderr
    assert "StdinNotImplementedError" in run("input()").result.stderr
    assert run("_").result.success, "IPython's own names are there"

    interrupted = run("while True: pass", timeout=0.5)
    assert interrupted.result.exception == "KeyboardInterrupt"
    assert interrupted.metadata["interrupted"]
    assert run("x").result.stdout == "43\n", "an interrupted cell costs no variables"

    flood = run("for _ in range(10**6): print('y' * 100)", timeout=1.0)
    assert len(flood.result.stdout) < 10_000
    assert "the rest is left out" in flood.result.stdout
    assert run("x").result.stdout == "43\n"


@pytest.mark.parametrize("mechanism", ["bubblewrap"], indirect=True)
def test_rich_outputs(run: Run) -> None:
    pixel = base64.b64encode(b"\x89PNG...").decode()
    shown = run(
        "from IPython.display import HTML, Image, display\n"
        f"import base64\ndisplay(Image(data=base64.b64decode('{pixel}'), format='png'))\n"
        "print('between')\nHTML('<b>bold</b>')"
    ).outputs
    kinds = [output["output_type"] for output in shown]
    assert kinds == ["display_data", "stream", "execute_result"]
    assert shown[0]["data"]["image/png"].strip() == pixel
    assert shown[2]["data"]["text/html"] == "<b>bold</b>"

    large = run("display({'image/png': 'x' * 10**7}, raw=True)").outputs
    assert "is left out" in large[0]["data"]["text/plain"]


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(3)",
        "import ctypes; ctypes.string_at(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os\nfor fd in range(256):\n    try: os.close(fd)\n    except OSError: pass",
        "import os\nfor fd in range(3, 256):\n  try: os.write(fd, b'\\xff' * 4096)\n  except OSError: pass",
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True:\n    try: time.sleep(1)\n    except BaseException: pass",
    ],
    ids=["exit", "segfault", "kill", "close-pipes", "forge", "ignore-interrupt"],
)
def test_a_lost_kernel_is_said_and_replaced(run: Run, code: str) -> None:
    run("x = 1")
    lost = run(code, timeout=1.0)
    if not lost.metadata.get("kernel_restarted"):  # a closed or garbled pipe may show one cell later
        lost = run("x", timeout=1.0)
    assert lost.metadata["kernel_restarted"]
    assert "the variables are lost" in lost.result.stderr
    assert run("x").result.exception == "NameError: name 'x' is not defined"


@pytest.mark.parametrize("mechanism", ["bubblewrap"], indirect=True)
def test_a_greedy_cell_is_told_what_it_exceeded(run: Run) -> None:
    hoard = "import time; hoard = bytearray(b'x') * (640 << 20); time.sleep(30)"
    greedy = run(
        "import subprocess, time\n"
        f"hoarders = [subprocess.Popen(['/usr/bin/python3', '-c', {hoard!r}]) for _ in range(4)]\n"
        "time.sleep(15)"
    )
    assert "memory_bytes" in greedy.result.stderr
    assert run("1").result.success


def test_nothing_gets_out(run: Run) -> None:
    attempts = {
        "network": "import socket; socket.create_connection(('127.0.0.1', 80), 2)",
        "system": "open('/usr/lib/planted', 'w')",
        "secrets": "open('/etc/shadow').read()",
        "mount": "import ctypes\nif ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None): raise OSError",
        "root": "import os; os.setuid(0)",
        "init": "import os; os.kill(1, 9)\nimport time; time.sleep(0.2); raise PermissionError",
        "packages": "import ipykernel; open(ipykernel.__file__, 'a')",
    }
    for name, code in attempts.items():
        assert not run(code).result.success, name
    assert "OPENENV_GYM_TOKEN" not in run("import os; dict(os.environ)").result.stdout


def test_a_reset_is_a_fresh_machine(environment: REPLEnvironment, run: Run) -> None:
    run("x = 1\nopen('left', 'w').write('x')\nimport subprocess; p = subprocess.Popen(['sleep', '600'])")
    environment.reset(seed=1)
    assert not run("x").result.success
    assert run("import os; os.listdir('.')").result.stdout.count("left") == 0


@pytest.mark.parametrize("mechanism", ["bubblewrap"], indirect=True)
def test_answers(environment: REPLEnvironment, run: Run) -> None:
    for code, answer in {
        "FINAL((1, 2))": "(1, 2)",
        "print('FINAL(f(1) + 2)')": "f(1) + 2",
        "y = 'in y'\nFINAL_VAR('y')": "in y",
        "y = 'in y'\nprint('FINAL_VAR(y)')": "in y",
        "answer['content'] = 42\nanswer['ready'] = True": "42",
    }.items():
        environment.reset(expected_answer=f" {answer.upper()} ", context="text")
        ended = run(code)
        assert (ended.done, ended.reward, ended.metadata["final_answer"]) == (True, 1.0, answer), code
        assert environment.state.final_answer == answer
    environment.reset(expected_answer="a")
    wrong = environment.step(REPLAction(is_final=True, final_answer="b"))
    assert (wrong.done, wrong.truncated, wrong.reward) == (True, False, 0.0)


@pytest.mark.parametrize("mechanism", ["bubblewrap"], indirect=True)
def test_cells_run_out(environment: REPLEnvironment, run: Run) -> None:
    environment.reset(max_iterations=2)
    assert not run("answer['content'] = ''").done
    ended = run("1")
    assert (ended.done, ended.truncated, ended.reward) == (True, True, -0.1)
    environment.reset(max_iterations=2, expected_answer="partial")
    run("answer['content'] = 'partial'")
    ended = run("1")
    assert (ended.done, ended.truncated, ended.reward) == (True, False, 1.0)
