"""An environment's classes and functions by name, for the process that it runs in to import them there."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from openenv_gym.errors import UsageError


def import_path(thing: Any) -> str:
    """Name a class or function as ``"module:qualname"``, making sure that the name leads back to it.

    Raises:
        UsageError: No name does.
    """
    module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module and qualname and module != "__main__" and "<" not in qualname:
        path = f"{module}:{qualname}"
        try:
            if resolve(path) is thing:
                return path
        except (ImportError, AttributeError):
            pass  # falls through to the same advice as every other unreachable name
    raise UsageError(
        f"execution 'process' imports the environment in a new process, but {thing!r} cannot be imported by "
        "name: give a class or function at the top level of a module other than __main__ (no lambda, partial "
        "or instance)"
    )


def resolve(path: str) -> Any:
    """Import what `import_path` named."""
    module, _, qualname = path.partition(":")
    return functools.reduce(getattr, qualname.split("."), importlib.import_module(module))
