"""Coding keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any

from coding_env import CodeAction, CodingEnv
from coding_env.server.coding_environment import CodingEnvironment
from openenv_gym.testing import EnvironmentContract

CODE = [
    "import random\nvalues = [random.random() for _ in range(3)]\nvalues",
    "print(sorted({'a', 'b', 'c'}), hash('text'), list({'x', 'y', 'z'}))",
    "try:\n    count += 1\nexcept NameError:\n    count = 0\ncount",
    "def broken():\n    return 1 / 0\n\nbroken()",
    "x = = 1",
    "import sys; print('Grüße 🙂', file=sys.stderr); sys.exit(3)",
    "from pathlib import Path\nPath('note').write_text('seen')\nsorted(p.name for p in Path().iterdir())",
    "import os; os._exit(5)",
]


class TestCoding(EnvironmentContract):
    environment = CodingEnvironment
    client = CodingEnv
    gymnasium_id = "openenv/Coding-v0"
    environ = {"CODING_SPARES": "2"}  # noqa: RUF012 - as the contract declares it
    bad_actions = ({}, {"code": 1}, {"code": None}, {"code": "x" * (2**20 + 1)})

    def act(self, observation: dict[str, Any], rng: random.Random) -> CodeAction:
        return CodeAction(code=rng.choice(CODE))
