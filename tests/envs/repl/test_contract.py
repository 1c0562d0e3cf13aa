"""The REPL environment keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract
from repl_env import REPLAction, REPLEnv
from repl_env.server.repl_environment import REPLEnvironment

CELLS = (
    "import random; random.random()",
    "import numpy as np; np.random.rand(3)",
    "counts = {c: context.count(c) for c in sorted(set(context))}\ncounts",
    "1/0",
    "from IPython.display import HTML; HTML('<b>bold</b>')",
    "import sys; print('Grüße 🙂'); print('oops', file=sys.stderr)",
)


class TestREPL(EnvironmentContract):
    environment = REPLEnvironment
    client = REPLEnv
    gymnasium_id = "openenv/REPL-v0"
    reset_options: ClassVar[dict[str, str]] = {"context": "to be or not to be"}
    bad_actions = ({"code": 1}, {"timeout": -1}, {"is_final": "perhaps"})
    ignore = frozenset({"result.execution_time"})
    steps = 4

    def act(self, observation: dict[str, Any], rng: random.Random) -> REPLAction:
        return REPLAction(code=rng.choice(CELLS))
