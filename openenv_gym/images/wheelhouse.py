"""Fills a folder with all wheels that images need, for builds without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from openenv_gym.errors import ImageBuildError, UsageError
from openenv_gym.images.sources import ImageSources, project_table

PYTHON = "3.11"
"""The Python of the base image, unless it stands on another."""

_BACKEND = "setuptools>=77"  # what builds our own packages
_EXTRAS = ("server",)  # of those projects that have them
_LIST = "requirements.txt"
_OURS = re.compile(r"openenv[-_.]gym\b", re.IGNORECASE)


def fill_wheelhouse(
    folder: Path, sources: Iterable[ImageSources], *, python: str = PYTHON, output: TextIO | None = None
) -> None:
    """Put the wheels into a folder that images from these sources need; what it has already is kept.

    Where the folder's ``requirements.txt`` says that they are all there, nothing is fetched.

    Args:
        folder: Is made if it is not there.
        sources: Of the images, the base image among them if it is to be built too.
        python: Version of the images' Python; the wheels are for it and for this machine's architecture.
        output: Where pip's progress goes; None keeps it for errors.

    Raises:
        UsageError: There is no such Python here, or none that can make virtual environments.
        ImageBuildError: pip failed; carries its last lines.
    """
    wanted = {_BACKEND, *(line for found in sources for line in _requirements(found))}
    listed = folder / _LIST
    present = set(listed.read_text().splitlines()) if listed.is_file() else set()
    if wanted <= present:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="openenv-gym-pip-") as scratch:
        command = [
            _new_pip(python, scratch),
            "wheel",
            "--disable-pip-version-check",
            "--wheel-dir",
            str(folder),
        ]
        done = subprocess.run(
            [*command, "--", *sorted(wanted | present)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ImageBuildError(f"{folder} could not be filled with wheels", (done.stdout or "")[-8192:])
    listed.write_text("".join(f"{line}\n" for line in sorted(wanted | present)))


def _requirements(sources: ImageSources) -> Iterator[str]:
    """What the projects among the sources require, without packages of this repository."""
    folders = {path.parent if path.name == "pyproject.toml" else path for path in sources.files.values()}
    for folder in sorted(folders):
        table = project_table(folder)
        found = list(table.get("dependencies", []))
        for extra in _EXTRAS:
            found += table.get("optional-dependencies", {}).get(extra, [])
        yield from (requirement for requirement in found if not _OURS.match(requirement))


def _new_pip(python: str, folder: str) -> str:
    """A pip under the given Python: that is the one it reads markers for. This one's own may have none."""
    is_this = python == f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if is_this else shutil.which(f"python{python}")
    if interpreter is None:
        raise UsageError(
            f"wheels for Python {python} are fetched under it: there is no python{python} on PATH"
        )
    done = subprocess.run([interpreter, "-m", "venv", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(
            f"{interpreter} cannot make a virtual environment: {done.stdout[-2048:]}{done.stderr[-2048:]}"
        )
    return f"{folder}/bin/pip"
