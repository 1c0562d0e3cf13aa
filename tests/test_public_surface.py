"""What `import openenv_gym` offers, what it costs, and what it must not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import openenv_gym
from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.registry.gymnasium_ids import gymnasium_id

HEAVY = {
    "docker",
    "fastmcp",
    "fastapi",
    "gymnasium",
    "httpx",
    "kubernetes",
    "nicegui",
    "numpy",
    "pettingzoo",
    "ray",
    "starlette",
    "torch",
    "uvicorn",
    "websockets",
}


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names() -> None:
    assert openenv_gym.__all__ == sorted(openenv_gym.__all__)
    assert set(openenv_gym.__all__) == set(openenv_gym._HOMES)


@pytest.mark.parametrize("name", openenv_gym.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    value = getattr(openenv_gym, name)
    assert value.__doc__
    assert value.__module__ == openenv_gym._HOMES[name]


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        openenv_gym.Nonsense  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    out = run_python("import openenv_gym, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))")
    assert HEAVY.isdisjoint(out.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import gymnasium, openenv_gym",
        "import openenv_gym, gymnasium",
        "import openenv_gym.errors; import gymnasium.spaces",
        "import openenv_gym.registry.gymnasium_ids, gymnasium",
        "from openenv_gym import RemoteEnv; import gymnasium",
    ],
)
def test_import_registers_the_ids(statement: str) -> None:
    out = run_python(
        f"{statement}; print(*sorted(name for name in gymnasium.registry if name.startswith('openenv/')))"
    )
    assert out.split() == sorted(gymnasium_id(entry) for entry in BUILT_IN)
    assert "openenv/Remote-v0" in out.split()


def test_environment_base_class_needs_no_fastapi() -> None:
    out = run_python(
        "import sys; from openenv_gym.server import Environment; "
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    assert HEAVY.isdisjoint(out.split())
