"""What `import openenv_gym` costs beside gymnasium's own import: fresh processes, alternating.

Usage: python benchmarks/import_cost.py [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from measuring import alternate, describe, machine, spread, table, write_json

STATEMENTS = {
    "gymnasium": "import gymnasium",
    "openenv_gym": "import openenv_gym",
    "openenv_gym + RemoteVectorEnv": "from openenv_gym import RemoteVectorEnv",
    "openenv_gym + EnvClient": "from openenv_gym import EnvClient",
}
PROBE = "import sys, time; t = time.perf_counter(); {}; print(time.perf_counter() - t, len(sys.modules))"


def probe(statement: str) -> tuple[float, int]:
    """Run one import in a fresh interpreter; returns seconds and modules loaded."""
    command = [sys.executable, "-c", PROBE.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    facts = machine()
    modules = {name: probe(statement)[1] for name, statement in STATEMENTS.items()}
    timed = {name: lambda s=statement: probe(s)[0] for name, statement in STATEMENTS.items()}
    times = alternate(timed, options.rounds)
    rows = []
    for name, values in times.items():
        over = [1e3 * (value - base) for value, base in zip(values, times["gymnasium"], strict=True)]
        rows.append([name, spread([1e3 * value for value in values]), spread(over), str(modules[name])])
    print(describe(facts), "\n")
    print(table(["import", "ms", "ms over gymnasium's", "modules"], rows))
    write_json(options.json, facts, {"seconds": times, "modules": modules})


if __name__ == "__main__":
    main()
