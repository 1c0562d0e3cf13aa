"""Steps a second of Gymnasium environments served by an engine, beside Gymnasium's own vector environments.

Usage: .venv/bin/python benchmarks/engines.py [--ids CartPole-v1 Pendulum-v1] [--lanes 64] [--workers 1 2]
       [--rounds 5] [--seconds 1] [--json FILE]

All step in lockstep with the same actions and reset what has ended. Servers and client share this machine's
cores, and so do the local processes and their parent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from local_servers import ours, running
from measuring import alternate, describe, machine, parser, rate, ratios, spread, table, write_json

from openenv_gym import RemoteVectorEnv

_PEER = "AsyncVectorEnv"


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=5, seconds=1)
    command.add_argument("--ids", nargs="+", default=["CartPole-v1", "Pendulum-v1"], metavar="ID")
    command.add_argument("--lanes", type=int, default=64)
    command.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    options = command.parse_args()
    facts = machine()
    figures: dict[str, dict[str, list[float]]] = {}
    for name in options.ids:
        with ExitStack() as stack:
            contenders = stack.enter_context(_contenders(name, options.lanes, options.workers))
            measures = {
                label: partial(_steps, stack.enter_context(closing(envs)), options.seconds)
                for label, envs in contenders.items()
            }
            figures[name] = alternate(measures, options.rounds)
    rows = [
        [name, label, spread(rates), spread(ratios(rates, contenders[_PEER]), ".2f")]
        for name, contenders in figures.items()
        for label, rates in contenders.items()
    ]
    print(describe(facts), "\n")
    print(f"{options.lanes} lanes in lockstep, median (min-max) over the rounds:\n")
    print(table(["environment", "as", "steps a second", f"beside {_PEER}"], rows))
    write_json(options.json, facts, {"lanes": options.lanes, "steps_per_second": figures})


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


def _steps(envs: VectorEnv[Any, Any, Any], seconds: float) -> float:
    envs.action_space.seed(1)
    envs.reset(seed=1)
    actions = envs.action_space.sample()
    return rate(lambda: envs.step(actions), seconds, envs.num_envs)


if __name__ == "__main__":
    main()
