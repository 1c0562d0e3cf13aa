"""Thousands of sessions whose step only waits, as if for a model or a page: ours, and OpenEnv's.

Usage: .venv-interop/bin/python benchmarks/sleepers.py [--ours 2048x1 1024x1] [--openenv 1024x1] [--rounds 2]
       [--json FILE]
       .venv-interop/bin/python benchmarks/sleepers.py --long

``2048x1`` stands for 2,048 sessions whose step takes one second; the long form has 8,192 of these, and 16,384
of ten seconds. All sessions step at once, as often as there are rounds. A latency is what a session's user
sees: from the moment at which all steps are handed over to the one at which this one's result is handed out.
Opening all sessions and resetting them is timed apart. Each case has a server of its own, on this machine.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from local_servers import on_uvicorn, ours, running
from measuring import describe, machine, parser, table, write_json
from server_process import ServerProcess

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.providers.endpoint import Endpoint

_CAPACITY = 32768
_PATIENCE = 120.0  # seconds beyond a step's own that OpenEnv's client waits
_CONNECTING = 64  # clients of OpenEnv that open their sockets at the same time

_COMMANDS = {"ours": ours("sleeping_env:app"), "OpenEnv": on_uvicorn("upstream_sleeping_env:app")}


@dataclass(frozen=True)
class Case:
    """So many sessions, and how long each step takes."""

    sessions: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Case:
        """Read ``8192x1``."""
        sessions, _, seconds = text.partition("x")
        return cls(int(sessions), float(seconds))


@dataclass
class Result:
    """What a case came to.

    Attributes:
        contender: Whose server and client.
        case: How many sessions, and how long their steps.
        opening: Seconds until all were open and reset.
        asked: Steps that were asked for.
        latencies: Seconds of each step that was answered.
        memory: Most bytes that the server held.
        memory_before: Bytes that it held without a session.
        server_cpu: Processor seconds of the server for the steps.
        client_cpu: The same of the client.
    """

    contender: str
    case: Case
    opening: float = 0.0
    asked: int = 0
    latencies: list[float] = field(default_factory=list)
    memory: int = 0
    memory_before: int = 0
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    def row(self) -> list[str]:
        """Write the result as a line of the report's table."""
        answered = len(self.latencies)
        percentiles = statistics.quantiles(self.latencies, n=100) if answered > 1 else [float("nan")] * 99
        latencies = (percentiles[49], percentiles[98], max(self.latencies, default=float("nan")))
        a_session = (self.memory - self.memory_before) / self.case.sessions
        microseconds = 1e6 / max(1, answered)
        return [
            f"{self.case.sessions:,} x {self.case.seconds:g} s, {self.contender}",
            f"{self.opening:.1f}",
            f"{100 * answered / max(1, self.asked):.1f} %",
            *(f"{seconds:.2f}" for seconds in latencies),
            f"{self.memory / 2**20:.0f}",
            f"{a_session / 2**10:.0f}",
            f"{self.server_cpu * microseconds:.0f}",
            f"{self.client_cpu * microseconds:.0f}",
        ]


COLUMNS = ["", "open, s", "answered", "p50, s", "p99, s", "max, s", "MiB", "KiB each", "server", "client"]


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    command = parser(__doc__, rounds=2, seconds=0)
    command.add_argument("--ours", nargs="+", default=["2048x1", "1024x1"], metavar="NxSECONDS")
    command.add_argument("--openenv", nargs="*", default=["1024x1"], metavar="NxSECONDS")
    command.add_argument("--long", action="store_true", help="the sizes of the project's targets")
    options = command.parse_args()
    if options.long:
        options.ours, options.openenv = ["8192x1", "16384x10", "2048x1", "1024x1"], ["2048x1", "1024x1"]
    facts = machine()
    print(describe(facts), "\n")
    wanted = [("ours", our_steps, Case.parse(text)) for text in options.ours]
    wanted += [("OpenEnv", openenv_steps, Case.parse(text)) for text in options.openenv]
    results = [measure(contender, steps, case, options.rounds) for contender, steps, case in wanted]
    print("Opening with a reset; latencies; the server's memory at most; processor microseconds a step:\n")
    print(table(COLUMNS, [result.row() for result in results]))
    write_json(options.json, facts, {"cases": [asdict(result) for result in results]})


Steps = Callable[[Endpoint, Case, Result, int], None]


def measure(contender: str, steps: Steps, case: Case, rounds: int) -> Result:
    """Run one case on a server of its own.

    Args:
        contender: Whose server.
        steps: Opens the sessions, and makes them step.
        case: How many, and how long.
        rounds: How often.
    """
    result = Result(contender, case)
    with running({contender: _COMMANDS[contender]}, _CAPACITY) as servers:
        endpoint = servers[contender]
        process = ServerProcess(endpoint)
        result.memory_before = process.memory()
        steps(endpoint, case, result, rounds)
        result.memory = process.peak_memory()
    return result


@contextmanager
def processor_time(endpoint: Endpoint, result: Result) -> Iterator[None]:
    """Charge what server and client use inside to a result."""
    process = ServerProcess(endpoint)
    theirs, ours = process.cpu_seconds(), time.process_time()
    yield
    result.server_cpu += process.cpu_seconds() - theirs
    result.client_cpu += time.process_time() - ours


def our_steps(endpoint: Endpoint, case: Case, result: Result, rounds: int) -> None:
    """Step by `RemoteVectorEnv`: send to all lanes, receive as lanes become ready."""
    began = time.perf_counter()
    with RemoteVectorEnv(endpoint.base_url, token=endpoint.token, num_envs=case.sessions) as envs:
        envs.reset(seed=1)
        result.opening = time.perf_counter() - began
        actions = [{"seconds": case.seconds}] * case.sessions
        for _ in range(rounds):
            with processor_time(endpoint, result):
                began, missing = time.perf_counter(), case.sessions
                envs.send(actions, range(case.sessions))
                while missing:
                    *_, info = envs.recv(min_envs=1)
                    latency = time.perf_counter() - began
                    missing -= len(info["env_id"])
                    result.latencies += [latency for fault in info["fault"] if not fault]
            result.asked += case.sessions


def openenv_steps(endpoint: Endpoint, case: Case, result: Result, rounds: int) -> None:
    """Step by OpenEnv's asynchronous clients, as many as sessions."""
    asyncio.run(_openenv_steps(endpoint, case, result, rounds))


async def _openenv_steps(endpoint: Endpoint, case: Case, result: Result, rounds: int) -> None:
    from openenv.core.generic_client import GenericEnvClient as UpstreamClient  # takes seconds

    turnstile = asyncio.Semaphore(_CONNECTING)
    began = time.perf_counter()

    async def opened(stack: AsyncExitStack) -> Any:
        async with turnstile:
            client = UpstreamClient(endpoint.base_url, message_timeout_s=case.seconds + _PATIENCE)
            with _counted_as_unanswered():
                await stack.enter_async_context(client)
                await client.reset()
            return client

    async def step(client: Any) -> None:
        result.asked += 1
        with _counted_as_unanswered():
            await client.step({"seconds": case.seconds})
            result.latencies.append(time.perf_counter() - began)

    async with AsyncExitStack() as stack:
        clients = await asyncio.gather(*(opened(stack) for _ in range(case.sessions)))
        result.opening = time.perf_counter() - began
        for _ in range(rounds):
            with processor_time(endpoint, result):
                began = time.perf_counter()
                await asyncio.gather(*map(step, clients))


@contextmanager
def _counted_as_unanswered() -> Iterator[None]:
    """Go on after an error of OpenEnv's client: what it was about is missing among the answers."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is
        sys.stderr.write(f"OpenEnv: {error!r:.200}\n")


if __name__ == "__main__":
    main()
