"""Every id of Gymnasium and Atari is served as it is here, or refused; a sample unless all are asked."""

from __future__ import annotations

import os
import random

import ale_py  # noqa: F401 - registers its environments
import gymnasium
import pytest

from openenv_gym.engines.app import define_engine
from openenv_gym.errors import UsageError
from tests.engines.comparison import Servers, compare_env, make_local
from tests.full.engines.conftest import servers

__all__ = ["servers"]

_SAMPLE = 12
_STEPS = 6

# Browsers have a sweep of their own, and what is remote already is not served again.
ELSEWHERE = ("miniwob/", "browsergym/", "openenv/", "zoo/")
IDS = sorted(name for name in gymnasium.registry if not name.startswith(ELSEWHERE))
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    IDS = sorted(random.Random(5).sample(IDS, _SAMPLE))


@pytest.mark.filterwarnings("ignore")  # older versions warn that they are
@pytest.mark.parametrize("name", IDS)
def test_an_id_is_served_as_it_is_here_or_refused(servers: Servers, name: str) -> None:
    try:
        make_local(name).close()
    except (ImportError, gymnasium.error.Error):  # what it needs is not installed, or exists no more
        with pytest.raises(UsageError, match="cannot be made"):
            define_engine(f"gymnasium:{name}")
        return
    compare_env(servers, name, "v1", _STEPS)
