"""Calling back when a module is imported: once it is whole, and with nothing about it changed."""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import inspect
import sys
from pathlib import Path

import pytest

from openenv_gym.registry.on_import import when_imported


@pytest.fixture(autouse=True)
def awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a package that can be imported and is not; the test leaves no trace of it."""
    file = tmp_path / "awaited" / "__init__.py"
    file.parent.mkdir()
    file.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setitem(sys.modules, "awaited", sys)  # so that what the test imports is gone after it
    del sys.modules["awaited"]
    return file


def test_a_module_that_is_there_is_told_of_at_once() -> None:
    module = importlib.import_module("awaited")
    told = []
    when_imported("awaited", told.append)
    assert told == [module]


def test_a_module_is_told_of_when_it_is_whole() -> None:
    told = []
    when_imported("awaited", lambda module: told.append((module, module.VALUE)))
    importlib.import_module("json")
    assert importlib.util.find_spec("awaited") is not None
    assert told == []
    module = importlib.import_module("awaited")
    assert told == [(module, 1)]
    importlib.import_module("awaited")
    assert len(told) == 1


def test_the_module_keeps_its_own_loader(awaited: Path) -> None:
    when_imported("awaited", lambda module: None)
    module = importlib.import_module("awaited")
    assert module.__spec__ is not None
    assert module.__loader__ is module.__spec__.loader
    assert inspect.getsource(module) == awaited.read_text()
    assert importlib.resources.files(module).joinpath(awaited.name).read_text() == awaited.read_text()


def test_a_module_that_fails_raises_its_own_error_and_is_told_of_when_it_works(awaited: Path) -> None:
    told = []
    when_imported("awaited", told.append)
    awaited.write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        importlib.import_module("awaited")
    assert told == []
    awaited.write_text("REPAIRED = True\n")
    importlib.invalidate_caches()
    assert importlib.import_module("awaited").REPAIRED
    assert len(told) == 1


def test_a_module_that_does_not_exist_is_missed_as_ever() -> None:
    when_imported("awaited_in_vain", lambda module: None)
    with pytest.raises(ModuleNotFoundError, match="awaited_in_vain"):
        importlib.import_module("awaited_in_vain")


def test_others_that_wait_for_the_same_module_are_told_too() -> None:
    told = []
    when_imported("awaited", lambda module: told.append("first"))
    when_imported("awaited", lambda module: told.append("second"))
    importlib.import_module("awaited")
    assert sorted(told) == ["first", "second"]
