"""reasoning-gym's datasets by ``reasoning_gym:NAME``, and what hostile answers do to them: nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.engines.app import create_engine_app, define_engine
from openenv_gym.engines.reasoning_gym_engine import ReasoningGymAction, ReasoningGymEnvironment, blueprint
from openenv_gym.errors import UsageError
from tests.servers import LiveServer

LISTS = ["binary_matrix", "n_queens", "spiral_matrix", "string_insertion"]
FORMULAS = [
    "countdown",
    "intermediate_integration",
    "polynomial_multiplication",
    "puzzle24",
    "simple_integration",
]
OTHERS = ["basic_arithmetic", "bitwise_arithmetic", "number_sorting"]
POWERS = {
    "tower": "9**9**9**9",
    "brackets": "9**(99)**99",
    "nested": "((((9**99)**99)**99)**99)",
    "digits": "9" * 5000,
    "exponent": "9.9e99999999",
}


def environment(task: str, **options: Any) -> ReasoningGymEnvironment:
    made = blueprint(task, options).factory()
    assert isinstance(made, ReasoningGymEnvironment)
    return made


def score(made: ReasoningGymEnvironment, answer: str) -> Any:
    return made.step(ReasoningGymAction(answer=answer)).reward


def test_a_dataset_is_served(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("reasoning_gym:leg_counting?max_animals=4"))
    with RemoteEnv(base_url=server.base_url) as env:
        first, _ = env.reset(seed=42)
        assert "how many legs" in first["question"]
        wrong, reward, terminated, truncated, _ = env.step({"answer": "no idea"})
        assert (reward, terminated, truncated) == (0.0, True, False)
        again, _ = env.reset(seed=42)
        assert again == first
        told, reward, *_ = env.step({"answer": wrong["correct_answer"]})
        assert (reward, told) == (1.0, wrong)
        assert env.reset(seed=43)[0] != first


def test_tasks_are_listed_and_chosen(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("reasoning_gym:leg_counting?size=7"))
    with httpx.Client(base_url=server.base_url) as http:
        (name,) = http.get("/list_environments").json()
        splits = http.get(f"/{quote(name)}/splits").json()
    assert [split["name"] for split in splits] == ["train", "test"]
    made = environment("leg_counting", size=7)
    asked = {made.reset(seed=1, split=split, index=3).question for split in ("train", "test")}
    assert asked == {made.get_task(split, 3)["question"] for split in ("train", "test")}
    assert len(asked) == 2
    assert len(made.list_tasks("test")) == made.num_tasks("train") == 7
    with pytest.raises(IndexError, match="7 tasks"):
        made.get_task("train", 7)
    with pytest.raises(ValueError, match="train, test"):
        made.reset(split="dev", index=0)
    with pytest.raises(ValueError, match="together"):
        made.reset(split="test")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reasoning_gym:leg_countin", "leg_counting"),
        ("reasoning_gym:leg_counting?legs=3", "legs"),
        ("reasoning_gym:leg_counting?min_animals=0", "min_animals"),
        ("reasoning_gym:leg_counting?seed=1", "given to reset"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        define_engine(name)


@pytest.mark.parametrize("task", FORMULAS)
def test_right_formulas_score_in_a_process_that_can_be_stopped(task: str) -> None:
    assert blueprint(task, {}).execution == "process"
    made = environment(task)
    for seed in range(4):
        made.reset(seed=seed)
        answer = made.step(ReasoningGymAction(answer="?")).correct_answer
        made.reset(seed=seed)
        assert score(made, answer) == 1.0


@pytest.mark.parametrize("task", ["n_queens", "spiral_matrix"])
def test_answers_as_python_lists_score_as_they_do_in_the_library(task: str) -> None:
    made = environment(task)
    made.reset(seed=1)
    right = made.step(ReasoningGymAction(answer="?")).correct_answer
    rows = [line.split() for line in right.splitlines()]
    as_list = repr(rows if task == "n_queens" else [int(number) for number in rows[0]])
    assert score(made, as_list) == {"n_queens": 0.5, "spiral_matrix": 0.1}[task]


@pytest.mark.parametrize("task", [*LISTS, *FORMULAS, *OTHERS])
def test_no_answer_is_run_as_code(task: str, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    made = environment(task)
    made.reset(seed=1)
    for answer in (
        f"__import__('pathlib').Path({str(proof)!r}).touch()",
        f"[open({str(proof)!r}, 'w')]",
        f"().__class__.__base__.__subclasses__()[0] or open({str(proof)!r}, 'w')",
        f"S({str(proof)!r})",
    ):
        assert score(made, answer) < 0.1
    assert not proof.exists()


def test_an_answer_that_cannot_be_read_scores_nothing() -> None:
    made = environment("prime_factorization")
    made.reset(seed=3)
    told = made.step(ReasoningGymAction(answer="x"))
    assert (told.reward, told.done) == (0.0, True)
    assert "invalid literal" in told.metadata["unreadable"]


@pytest.mark.parametrize("kind", POWERS)
def test_no_power_takes_for_ever(kind: str) -> None:
    made = environment("puzzle24")
    made.reset(seed=1)
    assert score(made, POWERS[kind]) < 0.1


def test_a_module_that_may_run_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from openenv_gym.engines import evaluated_answers

    monkeypatch.setattr(evaluated_answers, "_OWN", frozenset())
    with pytest.raises(UsageError, match=r"number_sorting may run"):
        define_engine("reasoning_gym:number_sorting")
    assert "reasoning_gym" in sys.modules
