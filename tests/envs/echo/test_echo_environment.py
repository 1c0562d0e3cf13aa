"""What the Echo environment answers, without a server."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from echo_env.models import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment


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
