"""smolagents' restricted interpreter as the Coding environment's executor, in the sandbox all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import smolagents
from smolagents import LocalPythonExecutor

from coding_env import CodeAction, CodeObservation
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.settings import CodingLimits, CodingSettings
from coding_env.server.shared_state import SharedState
from tests.mechanisms import mechanisms_that_show


@contextmanager
def session(**settings: Any) -> Iterator[CodingEnvironment]:
    shared = SharedState(CodingSettings(spares=0, **settings))
    with closing(shared), closing(CodingEnvironment(shared)) as environment:
        yield environment


MECHANISMS = mechanisms_that_show(Path(smolagents.__path__[0]))


@pytest.fixture(scope="module", params=MECHANISMS)
def environment(request: pytest.FixtureRequest) -> Iterator[CodingEnvironment]:
    with session(sandbox=request.param, limits=CodingLimits(step_seconds=10.0)) as opened:
        opened.reset(seed=3, executor="smolagents")
        yield opened


def run(environment: CodingEnvironment, code: str) -> CodeObservation:
    return environment.step(CodeAction(code=code))


def test_outputs_are_those_of_openenvs_coding_environment(environment: CodingEnvironment) -> None:
    """What was printed, then the value of the last statement as JSON, or as it represents itself."""
    assert run(environment, "print('Hello, World!')").stdout == "Hello, World!\n"
    assert run(environment, "x = 5 + 3\nprint(f'Result: {x}')").stdout == "Result: 8\n"
    assert run(environment, "y = x + 1").stdout == "9"
    assert run(environment, "print(1)\n'text'").stdout == '1\n\n"text"'
    assert run(environment, "{1}").stdout == "{1}"
    assert run(environment, "safe_json_dumps({'a': 1})").stdout == '"{\\"a\\": 1}"'
    observation = run(environment, "x")
    assert (observation.stdout, observation.exit_code, observation.metadata["executor"]) == (
        "8",
        0,
        "smolagents",
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os", "Import of os is not allowed"),
        ("open('/etc/passwd')", "Forbidden function evaluation: 'open'"),
        ("().__class__.__bases__[0].__subclasses__()", "Forbidden access to dunder attribute"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = = 1", "SyntaxError"),
    ],
)
def test_refusals_and_errors_keep_the_state(environment: CodingEnvironment, code: str, told: str) -> None:
    run(environment, "kept = 1")
    observation = run(environment, f"print('before')\n{code}")
    assert told in observation.stderr
    assert "worker" not in observation.stderr
    assert observation.exit_code == 1
    assert observation.stdout == ("" if "SyntaxError" in told else "before\n")
    assert run(environment, "kept").stdout == "1"


def test_it_differs_from_upstreams_wrapper_in_nothing_but_where_it_runs(
    environment: CodingEnvironment,
) -> None:
    local = LocalPythonExecutor(["json"])
    local.send_tools({})
    for code in (
        "numbers = [n * n for n in range(5)]",
        "sum(numbers)",
        "import json\njson.dumps(numbers)",
        "None",
    ):
        output = local(code).output
        shown = run(environment, code).stdout
        assert shown == ("" if output is None else json.dumps(output))


def test_it_runs_in_the_sandbox_and_can_be_interrupted() -> None:
    limits = CodingLimits(step_seconds=0.5, grace_seconds=20.0)
    with session(executor="smolagents", limits=limits) as environment:
        reset = environment.reset()
        assert reset.metadata["sandbox"] in ("bubblewrap", "landlock")
        run(environment, "kept = 1")
        observation = run(environment, "n = 0\nwhile True:\n    n += 1")
        assert (observation.exit_code, observation.metadata["state_lost"]) == (124, False)
        observation = run(environment, "kept")
        assert observation.stdout == "1"
        environment.reset(executor="python")
        assert run(environment, "1 + 1").stdout == "2\n"


def test_a_seed_fixes_what_is_drawn(environment: CodingEnvironment) -> None:
    environment.reset(seed=5, executor="smolagents")
    assert run(environment, "import random\nrandom.random()").stdout == str(Random(5).random())
