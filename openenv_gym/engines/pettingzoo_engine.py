"""The engine ``pettingzoo:NAME``: PettingZoo's environments, all agents played by the client.

What has a parallel form is served in it, anything else turn by turn; ``?api=aec`` or ``?api=parallel``
chooses.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pettingzoo
from pettingzoo.env_registry.exceptions import PettingZooRegistryError

from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.game_environment import GameEnvironment
from openenv_gym.engines.joint_moves import JointEnvironment
from openenv_gym.engines.turns import TurnEnvironment
from openenv_gym.errors import UsageError

_REGISTRIES = {"parallel": pettingzoo.parallel_registry, "aec": pettingzoo.aec_registry}
_ATTRIBUTES = {"parallel": "parallel_env", "aec": "env"}
_ENVIRONMENTS: dict[str, type[GameEnvironment[Any]]] = {"parallel": JointEnvironment, "aec": TurnEnvironment}
_RENDER_MODE = "rgb_array"
# What draws with pygame, or simulates with a library that bears one thread, gets a process a session.
_IN_THREADS = "classic/"


def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
    """Make one instance to learn its agents and spaces, and say how to make more.

    Args:
        environment_id: A registered id (``classic/connect_four_v3``), one without its family
            (``connect_four_v3``), or the dotted path of a module with ``env()`` or ``parallel_env()``.
        options: Keyword arguments for those; ``api`` is ``aec`` or ``parallel``.

    Raises:
        UsageError: There is no such environment, it cannot be made, or what it needs is not installed.
    """
    name = f"pettingzoo:{environment_id}"
    options = {"render_mode": _RENDER_MODE, **options}
    asked = options.pop("api", None)
    found = _registered_id(environment_id)
    makers = _registered_makers(found) if found else _makers_of_module(name, environment_id)
    api = asked or next(iter(makers))
    if api not in makers:
        raise UsageError(f"{name} has no api {api!r}; it has: {', '.join(makers)}")
    execution = None if found and found.startswith(_IN_THREADS) else "process"
    try:
        return _ENVIRONMENTS[api].blueprint(name, partial(makers[api], **options), execution)
    except (ImportError, PettingZooRegistryError) as error:
        raise UsageError(f"{name} needs what is not installed: {error}") from error
    except TypeError as error:
        raise UsageError(f"{name} cannot be made with {options}: {error}") from error


def _registered_id(environment_id: str) -> str | None:
    """Find a registered id by itself or without its family; versions are written ``-v3`` or ``_v3``."""
    wanted = environment_id.replace("_v", "-v")
    known = pettingzoo.aec_registry.keys() | pettingzoo.parallel_registry.keys()
    return next((key for key in sorted(known) if wanted in (key, key.partition("/")[2])), None)


def _registered_makers(found: str) -> dict[str, Callable[..., Any]]:
    return {
        api: partial(pettingzoo.make, api, found)
        for api, registry in _REGISTRIES.items()
        if found in registry
    }


def _makers_of_module(name: str, path: str) -> dict[str, Callable[..., Any]]:
    try:
        module = importlib.import_module(path.replace("/", "."))
    except ModuleNotFoundError as error:
        raise UsageError(f"{name}: there is no such environment ({error}); {_advice(path)}") from error
    makers = {
        api: getattr(module, attribute)
        for api, attribute in _ATTRIBUTES.items()
        if hasattr(module, attribute)
    }
    if not makers:
        raise UsageError(f"{name}: the module {path} has no env() and no parallel_env(); {_advice(path)}")
    return makers


def _advice(path: str) -> str:
    known = {key.rpartition("/")[2].replace("-v", "_v"): key for key in pettingzoo.aec_registry}
    near = difflib.get_close_matches(path.rpartition("/")[2], known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"PettingZoo's are {', '.join(sorted(pettingzoo.aec_registry))}"
