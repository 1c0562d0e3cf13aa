"""Lets code from OpenEnv's older examples run from the repository's root: ``from envs.echo_env import ...``.

``envs.echo_env`` and everything below it are other names of ``echo_env``: the same modules, hence the same
class objects. Where the package is not installed, the one in this directory is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_PREFIX = f"{__name__}."
_HERE = Path(__file__).parent


class _AliasFinder(MetaPathFinder):
    """Answers for every name below this package with the module of the same name without the prefix."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.removeprefix(_PREFIX)
        if name == fullname or importlib.util.find_spec(name) is None:
            return None
        return ModuleSpec(fullname, _AliasLoader(name), is_package=False)


class _AliasLoader(Loader):
    """Loads an alias by importing the module it stands for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._own_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own_spec  # the import system has put the alias's there


# Last, so that an installed package of the name is preferred.
if str(_HERE) not in sys.path:
    sys.path.append(str(_HERE))
sys.meta_path.insert(0, _AliasFinder())
