"""What images are made of without a registry: a Debian base and wheels, made once and kept in ``.cache``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from openenv_gym.images import known_packages

ROOT = Path(__file__).parent.parent.parent
_CACHE = ROOT / ".cache" / "test-docker"
_SUITE = "bookworm"
_PYTHON, _PATCH = "3.11", "3.11.2"  # the suite's
_OPENENV = "openenv==0.10.0"
_PACKAGES = ("python3", "python3-venv", "ca-certificates", "git", "curl", "libstdc++6")
_PLAYED = ("stockfish", "chromium-headless-shell", "fonts-liberation")
_SMALL = ("echo_env", "git_env", "coding_env")
_PINS = ROOT / "requirements" / "development.txt"
_ALL_PINS = ROOT / "requirements" / "full.txt"


@dataclass(frozen=True)
class Ingredients:
    """What a set of images is made of; either is made with the first call.

    Attributes:
        name: Tells the set's images from those of others.
        debian: The root file system that all stand on, as a tarball.
        wheels: A folder with the wheels that they need.
    """

    name: str
    debian: Callable[[], Path]
    wheels: Callable[[], Path]


def prepare() -> None:
    """Make all of them that are not there, at the same time."""
    with ThreadPoolExecutor() as pool:
        for made in [pool.submit(base_tarball), pool.submit(wheels)]:
            made.result()


def base_tarball() -> Path:
    """The root file system of a small Debian with Python and git, as a tarball."""
    return _debian("base", _PACKAGES)


def full_tarball() -> Path:
    """That of one with all that environments run besides: a browser, and an opponent at chess."""
    return _debian("everything", (*_PACKAGES, *_PLAYED))


def wheels() -> Path:
    """A folder with the wheels that the servers need, the project's own aside."""
    needed = sorted(set(_requirements(_SMALL)))

    def make(target: Path) -> None:
        maker = target.with_name(f"{target.name}-venv")  # the environment that runs the tests may have no pip
        venv.create(maker, with_pip=True, clear=True)
        try:
            pip = (str(maker / "bin/python"), "-m", "pip", "download", "--quiet", "--only-binary", ":all:")
            _run(*pip, "--python-version", _PYTHON, "--dest", str(target), "-c", str(_PINS), *needed)
        finally:
            shutil.rmtree(maker)

    return _made_once("wheels", [_PYTHON, *needed, _PINS.read_text()], make)


def all_wheels() -> Path:
    """A folder with the wheels that all environments' servers need, as ``openenv-gym build`` makes it."""
    names = known_packages()
    needed = sorted(set(_requirements(names)))
    pins = list(_pins(_ALL_PINS))

    def make(target: Path) -> None:
        build = [sys.executable, "-m", "openenv_gym.cli.main", "build", *names]
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.writelines(f"{pin}\n" for pin in pins)
            constraints.flush()
            wheelhouse = ("--make-wheelhouse", str(target), "--python", _PYTHON)
            _run(*build, *wheelhouse, PIP_CONSTRAINT=constraints.name)

    return _made_once("wheelhouse", [_PYTHON, *needed, *pins], make)


def openenv_tarball() -> Path:
    """OpenEnv and all that it needs, for the Debian's Python, as a tarball of a folder ``packages``."""

    def make(target: Path) -> None:
        wanted = ["--python-version", _PYTHON, "--only-binary", ":all:", _OPENENV]
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--system-certs"]
        with tempfile.TemporaryDirectory(dir=target.parent) as folder, tarfile.open(target, "w") as tar:
            _run(*install, "--target", folder, *wanted)
            Path(folder).chmod(0o755)  # the server is another user's
            tar.add(folder, "packages")

    return _made_once("openenv", [_PYTHON, _OPENENV], make)


def _pins(file: Path) -> Iterator[str]:
    """Those for the Debian's Python, whose patch may be older than that of the one which fetches wheels."""
    python = {"python_version": _PYTHON, "python_full_version": _PATCH}
    for line in file.read_text().splitlines():
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(python):
            yield f"{pin.name}{pin.specifier}"


def _debian(name: str, packages: Sequence[str]) -> Path:
    def make(target: Path) -> None:
        include = f"--include={','.join(packages)}"
        _run("mmdebstrap", "--quiet", "--variant=essential", include, "--format=tar", _SUITE, str(target))

    return _made_once(name, [_SUITE, *packages], make)


def _requirements(environments: Sequence[str]) -> Iterator[str]:
    for folder in (ROOT, *(ROOT / "envs" / name for name in environments)):
        metadata = tomllib.loads((folder / "pyproject.toml").read_text())
        project = metadata["project"]
        asked = [*project["dependencies"], *project.get("optional-dependencies", {}).get("server", ())]
        yield from metadata["build-system"]["requires"]
        yield from (name for name in asked if not name.startswith("openenv-gym"))


def _made_once(name: str, inputs: Sequence[str], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]
    target = _CACHE / f"{name}-{digest}"
    with locked(_CACHE / f"{name}.lock"):
        if not target.exists():
            for old in _CACHE.glob(f"*{name}-*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
            make(target.with_name(f"new-{target.name}"))
            target.with_name(f"new-{target.name}").rename(target)
    return target


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str, **environ: str) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} exited with {done.returncode}\n{done.stdout[-4096:]}"


SMALL = Ingredients("small", base_tarball, wheels)
"""As little as does for Echo, Git and Coding."""
FULL = Ingredients("full", full_tarball, all_wheels)
"""What every environment needs."""
