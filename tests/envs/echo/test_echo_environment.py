"""What the Echo environment answers, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from echo_env.models import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.models import State


def test_reset_greets():
    observation = EchoEnvironment().reset(seed=1)
    assert observation == EchoObservation(echoed_message="Echo environment ready!", reward=0.0)


@pytest.mark.parametrize(
    ("message", "reward"),
    [("Hello, World!", 1.3), ("", 0.0), ("abc", 0.3), ("día \N{HORSE}", 0.5)],
)
def test_step_echoes_and_rewards_length(message, reward):
    environment = EchoEnvironment()
    environment.reset()
    observation = environment.step(EchoAction(message=message))
    assert observation.echoed_message == message
    assert observation.message_length == len(message)
    assert observation.reward == reward
    assert not observation.done


def test_state_counts_the_episodes_steps():
    environment = EchoEnvironment()
    environment.reset(episode_id="first")
    environment.step(EchoAction(message="x"))
    assert (environment.state.episode_id, environment.state.step_count) == ("first", 1)
    environment.reset()
    assert environment.state.episode_id not in ("first", None)
    assert environment.state.step_count == 0


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError):
        EchoAction(message="x", volume=11)


def say(env: EchoEnvironment, messages: list[str]) -> list[EchoObservation | State]:
    return [*(env.step(EchoAction(message=message)) for message in messages), env.state]


@given(st.lists(st.text()), st.lists(st.text()), st.lists(st.text()))
def test_equal_actions_after_a_snapshot_have_equal_ends(
    before: list[str], between: list[str], after: list[str]
) -> None:
    env, fork = EchoEnvironment(), EchoEnvironment()
    env.reset(seed=1)
    say(env, before)
    snapshot = env.snapshot()
    first = say(env, after)
    say(env, between)
    env.restore(snapshot)
    fork.restore(snapshot)
    assert say(env, after) == say(fork, after) == first
