"""What `import openenv_gym` costs beside gymnasium's own import: fresh processes, alternating.

    python benchmarks/import_cost.py [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version

STATEMENTS = {
    "gymnasium": "import gymnasium",
    "openenv_gym": "import openenv_gym",
    "openenv_gym + RemoteVectorEnv": "from openenv_gym import RemoteVectorEnv",
    "openenv_gym + EnvClient": "from openenv_gym import EnvClient",
}
PROBE = "import sys, time; t = time.perf_counter(); {}; print(time.perf_counter() - t, len(sys.modules))"


def measure(statement: str) -> tuple[float, int]:
    """Run one import in a fresh interpreter; returns seconds and modules loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement)], capture_output=True, text=True, timeout=120, check=True
    )
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    modules: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for name, statement in STATEMENTS.items():
            seconds, modules[name] = measure(statement)
            times[name].append(seconds)
    base = statistics.median(times["gymnasium"])
    print(f"{'import':32} {'median':>9} {'min':>9} {'max':>9} {'over gymnasium':>15} {'modules':>8}")
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:32} {median * 1e3:7.0f}ms {min(values) * 1e3:7.0f}ms {max(values) * 1e3:7.0f}ms"
            f" {(median - base) * 1e3:+13.0f}ms {modules[name]:8}"
        )
    if arguments.json:
        result = {
            "seconds": times,
            "modules": modules,
            "python": platform.python_version(),
            "gymnasium": version("gymnasium"),
        }
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
