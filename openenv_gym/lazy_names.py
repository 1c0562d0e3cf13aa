"""Names of a package that load their modules on first use (PEP 562).

A package's ``__init__`` runs whichever part of it is imported: a server imports an environment's models, has
no use for its client, and need not pay for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``::

        __getattr__, __dir__ = lazy_names(__name__, {"EchoEnv": "echo_env.client"})

    Type checkers read neither, so the package imports the same names under ``TYPE_CHECKING``.

    Args:
        package: Its ``__name__``.
        homes: Each name, and the module that defines it.
    """
    names = vars(sys.modules[package])

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = names[name] = getattr(import_module(homes[name]), name)
        return value

    def list_names() -> list[str]:
        return sorted({*names, *homes})

    return load, list_names
