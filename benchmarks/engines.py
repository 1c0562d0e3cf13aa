"""Speed and cost of Gymnasium environments served by an engine, beside Gymnasium's own vector environments.

Usage: .venv/bin/python benchmarks/engines.py [--ids CartPole-v1 Pendulum-v1] [--lanes 64] [--workers 1 2]
       [--rounds 5] [--seconds 1] [--json FILE]

All step in lockstep with the same actions and reset what has ended. Servers and client share this machine's
cores, and so do the local processes and their parent. Processor time is that of all processes of a side: on a
busy machine it says more than steps a second, since 65 processes get a larger share of what is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from local_servers import ours, running
from measuring import alternate, describe, machine, parser, rate, ratios, spread, table, write_json

from openenv_gym import RemoteVectorEnv

_PEER = "AsyncVectorEnv"


class Figure(NamedTuple):
    """One measurement.

    Attributes:
        rate: Steps a second.
        microseconds: Processor time a step, of this process and all below it.
    """

    rate: float
    microseconds: float


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=5, seconds=1)
    command.add_argument("--ids", nargs="+", default=["CartPole-v1", "Pendulum-v1"], metavar="ID")
    command.add_argument("--lanes", type=int, default=64)
    command.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    options = command.parse_args()
    facts = machine()
    figures: dict[str, dict[str, list[Figure]]] = {}
    for name in options.ids:
        with ExitStack() as stack:
            contenders = stack.enter_context(_contenders(name, options.lanes, options.workers))
            measures = {
                label: partial(_steps, stack.enter_context(closing(envs)), options.seconds)
                for label, envs in contenders.items()
            }
            figures[name] = alternate(measures, options.rounds)
    rows = []
    for name, measured in figures.items():
        peers = [figure.rate for figure in measured[_PEER]]
        for label, taken in measured.items():
            rates = [figure.rate for figure in taken]
            cost = spread([figure.microseconds for figure in taken])
            rows.append([name, label, spread(rates), spread(ratios(rates, peers), ".2f"), cost])
    print(describe(facts), "\n")
    print(f"{options.lanes} lanes in lockstep, median (min-max) over the rounds:\n")
    print(table(["environment", "as", "steps a second", f"beside {_PEER}", "processor, µs a step"], rows))
    write_json(options.json, facts, {"lanes": options.lanes, "figures": figures})


@contextmanager
def _contenders(name: str, lanes: int, workers: list[int]) -> Iterator[dict[str, VectorEnv[Any, Any, Any]]]:
    """Make the vector environments of one id."""
    servers = {
        f"RemoteVectorEnv, {count} worker{'s' * (count > 1)}": (
            *ours(f"gymnasium:{name}"),
            "--workers",
            str(count),
        )
        for count in workers
    }
    factories: list[Callable[[], gymnasium.Env[Any, Any]]] = [partial(gymnasium.make, name)] * lanes
    with running(servers) as endpoints:
        yield {
            _PEER: AsyncVectorEnv(factories),
            "SyncVectorEnv": SyncVectorEnv(factories),
            **{
                label: RemoteVectorEnv(endpoint.base_url, token=endpoint.token, num_envs=lanes)
                for label, endpoint in endpoints.items()
            },
        }


def _steps(envs: VectorEnv[Any, Any, Any], seconds: float) -> Figure:
    envs.action_space.seed(1)
    envs.reset(seed=1)
    actions = envs.action_space.sample()
    calls = 0

    def step() -> None:
        nonlocal calls
        envs.step(actions)
        calls += 1

    began = _processor_seconds()
    steps_a_second = rate(step, seconds, envs.num_envs)
    return Figure(steps_a_second, (_processor_seconds() - began) / calls / envs.num_envs * 1e6)


def _processor_seconds() -> float:
    """Processor time that this process and all below it have used."""
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        number = int(path.parent.name)
        parents[number], ticks[number] = int(fields[1]), int(fields[11]) + int(fields[12])
    family, found = {os.getpid()}, {os.getpid()}
    while found:
        found = {child for child, parent in parents.items() if parent in found}
        family |= found
    return sum(ticks[number] for number in family) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
