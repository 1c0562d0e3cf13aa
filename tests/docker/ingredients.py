"""What images are made of without a registry: a Debian base and wheels, made once and kept in ``.cache``."""

from __future__ import annotations

import fcntl
import hashlib
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
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_CACHE = ROOT / ".cache" / "test-docker"
_SUITE = "bookworm"
_PYTHON = "3.11"  # the suite's
_OPENENV = "openenv==0.10.0"
_PACKAGES = ("python3", "python3-venv", "ca-certificates", "git", "curl", "libstdc++6")
_PROJECTS = (ROOT, *(ROOT / "envs" / name for name in ("echo_env", "git_env", "coding_env")))
_PINS = ROOT / "requirements" / "development.txt"


def prepare() -> None:
    """Make all of them that are not there, at the same time."""
    with ThreadPoolExecutor() as pool:
        for made in [pool.submit(base_tarball), pool.submit(wheels)]:
            made.result()


def base_tarball() -> Path:
    """The root file system of a small Debian with Python and git, as a tarball."""

    def make(target: Path) -> None:
        include = f"--include={','.join(_PACKAGES)}"
        _run("mmdebstrap", "--quiet", "--variant=essential", include, "--format=tar", _SUITE, str(target))

    return _made_once("base", [_SUITE, *_PACKAGES], make)


def wheels() -> Path:
    """A folder with the wheels that the servers need, the project's own aside."""
    needed = sorted(set(_requirements()))

    def make(target: Path) -> None:
        maker = target.with_name(f"{target.name}-venv")  # the environment that runs the tests may have no pip
        venv.create(maker, with_pip=True, clear=True)
        try:
            pip = (str(maker / "bin/python"), "-m", "pip", "download", "--quiet", "--only-binary", ":all:")
            _run(*pip, "--python-version", _PYTHON, "--dest", str(target), "-c", str(_PINS), *needed)
        finally:
            shutil.rmtree(maker)

    return _made_once("wheels", [_PYTHON, *needed, _PINS.read_text()], make)


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


def _requirements() -> Iterator[str]:
    for folder in _PROJECTS:
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


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} exited with {done.returncode}\n{done.stdout[-4096:]}"
