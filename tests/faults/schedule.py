"""Which faults come when: drawn from a seed, so that a schedule can be had again."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults.misbehaving_proxy import BRIEF, LONG, Fault, MisbehavingProxy

SEED_VARIABLE = "FAULTS_SEED"


@dataclass(frozen=True)
class Order:
    """One fault to come.

    Attributes:
        pause: Seconds before it.
        fault: Which.
        seconds: How long it lasts, if it ends.
    """

    pause: float
    fault: Fault
    seconds: float


def choose_seed() -> int:
    """Take the seed of ``FAULTS_SEED``, or any; print it, so that a failure shows it."""
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().getrandbits(32))
    print(f"replay with {SEED_VARIABLE}={seed}")
    return seed


def draw_orders(seed: int) -> Iterator[Order]:
    """Draw faults without end: mostly brief ones, some that take time, a few silences."""
    rng = random.Random(seed)
    while True:
        kind = rng.choices([BRIEF, LONG, (Fault.HALF_OPEN,)], [90, 9, 1])[0]
        yield Order(rng.expovariate(1 / 0.004), rng.choice(kind), rng.uniform(0.02, 0.3))


async def rampage(proxy: MisbehavingProxy, seed: int, is_enough: Callable[[], bool]) -> None:
    """Inflict faults until it is enough; runs on the proxy's loop."""
    for order in draw_orders(seed):
        await asyncio.sleep(order.pause)
        proxy.inflict(order.fault, order.seconds)
        if is_enough():
            return
