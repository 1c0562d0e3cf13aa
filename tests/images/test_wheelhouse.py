"""A folder of wheels is filled by pip, once."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from openenv_gym.errors import ImageBuildError, UsageError
from openenv_gym.images import ImageSources, fill_wheelhouse

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def wheel(folder: Path, name: str, version: str) -> None:
    """Put an empty package's wheel into a folder."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


def needing(folder: Path, *requirements: str) -> ImageSources:
    """A project's sources."""
    folder.mkdir()
    listed = ", ".join(f'"{requirement}"' for requirement in requirements)
    (folder / "pyproject.toml").write_text(f"[project]\nname = 'mine'\ndependencies = [{listed}]\n")
    return ImageSources("mine:1", "Dockerfile", {"": folder})


def test_a_folder_is_filled_once_and_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index"
    for name, version in (("setuptools", "80.0"), ("maze", "1.0"), ("tiles", "2.0")):
        wheel(index, name, version)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    wheelhouse = tmp_path / "wheelhouse"
    small = needing(tmp_path / "small", "maze>=1", "openenv-gym[server]", "openenv-gym-git")
    fill_wheelhouse(wheelhouse, [small], python=PYTHON)
    assert wheels_in(wheelhouse) == ["maze-1.0", "setuptools-80.0"]
    fill_wheelhouse(wheelhouse, [small], python="3.99")  # that no pip could do
    fill_wheelhouse(wheelhouse, [small, needing(tmp_path / "large", "tiles")], python=PYTHON)
    assert wheels_in(wheelhouse) == ["maze-1.0", "setuptools-80.0", "tiles-2.0"]
    with pytest.raises(
        ImageBuildError, match=r"(?s)could not be filled.*No matching distribution found for walls"
    ):
        fill_wheelhouse(wheelhouse, [needing(tmp_path / "other", "walls")], python=PYTHON)


def wheels_in(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix("-py3-none-any.whl") for path in folder.glob("*.whl"))


def test_a_python_that_is_not_there_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no python3\.99 on PATH"):
        fill_wheelhouse(tmp_path / "wheelhouse", [needing(tmp_path / "small", "maze")], python="3.99")
