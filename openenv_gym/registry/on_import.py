"""Calls back when a module is imported, and does not import it for that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:  # importlib.abc would load tempfile and shutil, for base classes that no importer asks for
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def when_imported(name: str, call: Callable[[ModuleType], object]) -> None:
    """Call back once a module is there: at once where it is, else as the last part of its import.

    Args:
        name: The module's name, with all of its parents.
        call: What to call with the module.
    """
    if name in sys.modules:
        call(import_module(name))  # which waits for another thread that is about to import it
    else:
        sys.meta_path.insert(0, _Watch(name, call))


class _Watch:
    """A finder that finds one module as those after it do, and has its loader tell when it has loaded it."""

    def __init__(self, name: str, call: Callable[[ModuleType], object]) -> None:
        self._name = name
        self._call = call

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (finder.find_spec(fullname, path, target) for finder in later)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _TellingLoader(spec.loader, self._call))
        return spec


class _TellingLoader:
    """Loads as another loader does, then calls back."""

    def __init__(self, loader: Loader, call: Callable[[ModuleType], object]) -> None:
        self._loader = loader
        self._call = call

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Whoever asks the module for its source or its data files asks the loader that has them.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._call(module)
