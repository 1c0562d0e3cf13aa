"""Steps a second of Atari's Pong, 4 frames a step, through a server and beside the emulator in this process.

Usage: .venv-full/bin/python benchmarks/atari.py [--sessions 8] [--rounds 5] [--seconds 1] [--json FILE]

Observations are 210x160x3 pixels, each checked against its space. Server and client share this machine, and
so its cores. ale-py comes from `make .venv-full/.ready`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle

import ale_py
import gymnasium
from measuring import alternate, describe, machine, parser, rate, ratios, spread, table, write_json

import openenv_gym  # noqa: F401 - registers the ids

LOCAL = "ale-py's own environment, in this process"
ONE = "`RemoteEnv`, one session"
MANY = "`RemoteVectorEnv`, {} sessions, 2 workers"
ACTIONS = (2, 3, 5)

Measure = Callable[[float], float]


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=5, seconds=1.0)
    command.add_argument("--sessions", type=int, default=8, metavar="N")
    options = command.parse_args()
    facts = machine()
    with ExitStack() as stack:
        measures = {
            LOCAL: stack.enter_context(local()),
            ONE: stack.enter_context(one_session()),
            MANY.format(options.sessions): stack.enter_context(many_sessions(options.sessions)),
        }
        timed = {name: partial(measure, options.seconds) for name, measure in measures.items()}
        figures = alternate(timed, options.rounds)
    rows = [
        [name, spread(rates), spread(ratios(rates, figures[LOCAL]), ".2f")] for name, rates in figures.items()
    ]
    print(describe(facts), "\n")
    print("Pong, median (min-max) over the rounds; a step is 4 frames:\n")
    print(table(["", "steps a second", "beside the emulator alone"], rows))
    write_json(options.json, facts, {"sessions": options.sessions, "steps_per_second": figures})


@contextmanager
def local() -> Iterator[Measure]:
    """Step ale-py's environment, made as the served one is."""
    gymnasium.register_envs(ale_py)
    with gymnasium.make("ALE/Pong-v5", repeat_action_probability=0.0, disable_env_checker=True) as env:
        yield partial(_rate, env)


@contextmanager
def one_session() -> Iterator[Measure]:
    """Step the served environment."""
    with gymnasium.make("openenv/Atari-v0", disable_env_checker=True) as env:
        yield partial(_rate, env)


@contextmanager
def many_sessions(count: int) -> Iterator[Measure]:
    """Step several served ones in lockstep, on two server processes."""
    with gymnasium.make_vec("openenv/Atari-v0", num_envs=count, workers=2) as envs:
        yield partial(_vector_rate, envs)


def _rate(env: gymnasium.Env, seconds: float) -> float:
    env.reset(seed=1)
    actions = cycle(ACTIONS)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(next(actions))
        if terminated or truncated:
            env.reset()

    return rate(step, seconds)


def _vector_rate(envs: gymnasium.vector.VectorEnv, seconds: float) -> float:
    envs.reset(seed=1)
    actions = cycle([envs.action_space.dtype.type(action) for action in ACTIONS])
    return rate(lambda: envs.step([next(actions)] * envs.num_envs), seconds, envs.num_envs)


if __name__ == "__main__":
    main()
