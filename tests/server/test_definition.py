from __future__ import annotations

import functools
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from openenv_gym.errors import ConcurrencyConfigurationError, UsageError
from openenv_gym.models import Action, Observation, State
from openenv_gym.server.definition import Execution, define
from openenv_gym.server.environment import Environment
from tests.server import battery


class Single(Environment[Action, Observation, State]):
    """Allows one session."""

    made = 0
    closed = 0

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        type(self).made += 1
        self.size = size

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        return Observation()

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()

    def close(self) -> None:
        type(self).closed += 1


class Many(Single):
    SUPPORTS_CONCURRENT_SESSIONS = True
    MAX_SESSIONS = 12


class StepsAsync(Single):
    async def step_async(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        return Observation()


def define_it(env: Any, **options: Any) -> Any:
    return define(env, Action, Observation, **options)


def make_single() -> Single:
    return Single(5)


@pytest.mark.parametrize(
    "factory", [Single, functools.partial(Single, 5), lambda: Single(5), make_single, lambda: make_single()]
)
def test_any_factory_tells_its_class(factory: Any) -> None:
    definition = define_it(factory)
    assert definition.environment_cls is Single
    assert definition.name == "Single"
    assert isinstance(definition.factory(), Single)


def test_only_a_factory_that_does_not_say_what_it_makes_is_called_and_what_it_made_is_closed() -> None:
    Single.made = Single.closed = 0
    for factory in (Single, functools.partial(Single, 5), make_single):
        define_it(factory)
    assert (Single.made, Single.closed) == (0, 0)
    define_it(lambda: Single())
    assert (Single.made, Single.closed) == (1, 1)


def test_an_instance_serves_one_session_after_another_and_is_closed_at_the_end() -> None:
    instance = Many()
    definition = define_it(instance)
    assert definition.factory() is definition.factory() is instance
    assert definition.capacity == 1
    with pytest.raises(ConcurrencyConfigurationError, match="give its class instead of an instance"):
        define_it(instance, max_sessions=2)
    Many.closed = 0
    definition.close()
    assert Many.closed == 1
    define_it(Many).close()
    assert Many.closed == 1


def test_what_is_no_environment_is_refused() -> None:
    with pytest.raises(UsageError, match="env is a str"):
        define_it("an environment")
    with pytest.raises(UsageError, match="dict is no environment: it has no reset and no step"):
        define_it(dict)

    def broken() -> Any:
        raise OSError("no display")

    with pytest.raises(UsageError, match=r"OSError: no display.*annotate what it returns"):
        define_it(broken)


def test_execution_follows_the_class_unless_declared() -> None:
    assert define_it(Single).execution is Execution.THREAD
    assert define_it(StepsAsync).execution is Execution.ASYNC
    assert define_it(battery.AsyncBattery).execution is Execution.ASYNC
    assert define_it(battery.Foreign).execution is Execution.THREAD
    declared = type("Declared", (Single,), {"EXECUTION": "inline"})
    assert define_it(declared).execution is Execution.INLINE
    assert define_it(declared, execution="thread").execution is Execution.THREAD


def test_the_async_twin_is_called_where_there_is_a_loop() -> None:
    on_a_loop, on_a_thread = define_it(StepsAsync).methods, define_it(StepsAsync, execution="thread").methods
    assert (on_a_loop.step, on_a_loop.step_is_async) == ("step_async", True)
    assert (on_a_loop.reset, on_a_loop.reset_is_async) == ("reset", False)
    assert (on_a_thread.step, on_a_thread.step_is_async) == ("step", False)


def test_an_execution_that_cannot_work_is_refused() -> None:
    with pytest.raises(
        UsageError, match="execution is 'fiber'; it can be one of inline, async, thread, process"
    ):
        define_it(Single, execution="fiber")
    with pytest.raises(UsageError, match=r"AsyncBattery\.reset is a coroutine function"):
        define_it(battery.AsyncBattery, execution="thread")


def test_capacity() -> None:
    assert define_it(Single).capacity == 1
    assert define_it(Single, max_sessions=1).capacity == 1
    assert define_it(Many).capacity == 12
    assert define_it(Many, max_sessions=40).capacity == 40
    assert define_it(battery.Battery).capacity > 1
    assert define_it(battery.Foreign, execution="process", **foreign_models()).capacity > 1
    with pytest.raises(
        ConcurrencyConfigurationError, match=r"Single allows one session.*EXECUTION = 'process'"
    ):
        define_it(Single, max_sessions=2)
    with pytest.raises(UsageError, match="a server runs at least one"):
        define_it(Many, max_sessions=0)


def foreign_models() -> dict[str, Any]:
    return {"state_cls": battery.Strict}


def test_a_process_needs_names_that_lead_back() -> None:
    recipe = define_it(battery.Foreign, execution="process").recipe
    assert recipe is not None
    assert recipe.arguments["factory"] == "tests.server.battery:Foreign"
    again = recipe.define(Execution.INLINE)
    assert again.environment_cls is battery.Foreign
    assert again.execution is Execution.INLINE

    class Hidden(battery.Foreign):
        pass

    for env in (Hidden, lambda: battery.Foreign(), functools.partial(battery.Foreign), battery.Foreign()):
        with pytest.raises(UsageError, match="cannot be imported by name"):
            define_it(env, execution="process")


def test_leniency() -> None:
    assert not define_it(Single).lenient
    assert define_it(type("Tools", (Single,), {"LENIENT": True})).lenient
    assert define_it(battery.Foreign).lenient


def test_reset_options_are_read_from_the_signature() -> None:
    options = define_it(battery.Battery).methods.reset_options
    assert (options.names, options.open) == (("level", "broken"), False)
    assert options.unknown({"level": 1, "seed": 2, "lvl": 3}) == ["lvl"]
    assert define_it(Single).methods.reset_options.unknown({"anything": 1}) == []
    foreign = define_it(battery.Foreign).methods.reset_options
    assert foreign.names == ("task",)
    assert foreign.dropped({"seed": 1, "episode_id": None}) == ["seed"]


def test_an_annotation_that_cannot_be_resolved_binds_nothing() -> None:
    class Vague(battery.Foreign):
        def reset(self, task: "NotImported" = None) -> Any:  # type: ignore[name-defined] # noqa: F821, UP037
            return task

    options = define_it(Vague).methods.reset_options
    assert options.adapter.validate_python({"task": object}) == {"task": object}


def test_only_steps_that_take_a_timeout_are_told_it() -> None:
    assert define_it(Single).methods.step_takes_timeout
    assert not define_it(battery.Foreign).methods.step_takes_timeout


class ListToolsAction(BaseModel):
    type: str = "list_tools"


class CallToolAction(BaseModel):
    type: str = "call_tool"


def test_the_two_tool_actions_stand_for_each_other() -> None:
    definition = define(battery.Foreign, CallToolAction, Observation)
    assert type(definition.validate_action({"type": "list_tools"})) is ListToolsAction
    assert type(definition.validate_action({"type": "call_tool"})) is CallToolAction
    with pytest.raises(ValidationError, match="CallToolAction"):
        definition.validate_action({"type": ["odd"]})
    with pytest.raises(ValidationError, match="for Action"):
        define_it(battery.Foreign).validate_action({"type": "list_tools"})


def test_an_action_that_validates_itself_is_asked() -> None:
    class Shouted(Action):
        text: str

        @classmethod
        def model_validate(cls, obj: Any, **options: Any) -> Shouted:
            return super().model_validate({"text": obj["text"].upper()}, **options)

    definition = define(battery.Foreign, Shouted, Observation)
    assert definition.validate_action({"text": "hi"}) == Shouted(text="HI")


class GoesBack(Many):
    def snapshot(self) -> int:
        return self.size

    async def restore(self, state: int) -> None:
        self.size = state


def test_snapshots_are_offered_by_whoever_has_both_methods() -> None:
    assert define_it(GoesBack).features == ("snapshot", "fork")
    assert define_it(GoesBack, max_sessions=1).features == define_it(GoesBack()).features == ("snapshot",)
    assert define_it(Many).features == ()
    assert define_it(type("Half", (Many,), {"snapshot": lambda self: 1})).features == ()
    others = {"snapshot": lambda self, path: None, "restore": lambda self: None}
    assert define_it(type("Others", (Many,), others)).features == ()
