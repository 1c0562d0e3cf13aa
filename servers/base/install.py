"""Installs Python packages into an image, small and in layers; runs in the build stages of all Dockerfiles.

    python install.py projects PREFIX PROJECT...       folders with a pyproject.toml, maybe with [EXTRAS]
    python install.py dependencies PREFIX PROJECT...   what they need, without packages of this repository
    python install.py packages FOLDER REQUIREMENT...   packages by themselves, for others to import

What lies in PREFIX is to be copied onto the virtual environment that runs this (``COPY --from=build PREFIX
/opt/server``): nothing that is there already is installed again, and nothing there is changed; projects that
need other versions are refused. pip is the one that Python keeps for `venv`, and none is left behind.

Wheels in /build are all that pip may use, where there are any; certificates in /build/ca-certificates.crt are
those that it trusts.
"""

from __future__ import annotations

import argparse
import compileall
import ensurepip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

INPUTS = Path("/build")
_DEPENDENCIES = Path("/opt/dependencies")  # the layer below that of the environment's own package
_INSTALLED = Path(sysconfig.get_path("purelib"))
_PROJECT = re.compile(r"(?P<folder>[^\[]+)(\[(?P<extras>[^\]]*)\])?")
_OURS = re.compile(r"openenv[-_.]gym\b", re.IGNORECASE)


def main() -> int:
    """Run the command line; returns pip's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["dependencies", "projects", "packages"])
    parser.add_argument("prefix", type=Path)
    parser.add_argument("wanted", nargs="*")
    options = parser.parse_args()
    options.prefix.mkdir(parents=True, exist_ok=True)
    wanted = options.wanted
    if options.what == "dependencies":
        wanted = [found for project in wanted for found in dependencies(project) if not is_there(found)]
    if not wanted:
        return 0
    status = pip_install(options.prefix, wanted, apart=options.what == "packages")
    slim(options.prefix)
    return status


def dependencies(project: str) -> list[str]:
    """What a project and its extras require by its pyproject.toml, without packages of this repository."""
    match = _PROJECT.fullmatch(project)
    assert match is not None, project
    table = tomllib.loads((Path(match["folder"]) / "pyproject.toml").read_text())["project"]
    found = list(table.get("dependencies", []))
    for extra in filter(None, (match["extras"] or "").split(",")):
        found += table["optional-dependencies"][extra.strip()]
    return [requirement for requirement in found if not _OURS.match(requirement)]


def is_there(requirement: str) -> bool:
    """Whether a requirement is met without pip, whose start takes longer than most installations."""
    sys.path.append(str(pip_wheel()))
    from pip._vendor.packaging.requirements import Requirement

    wanted = Requirement(requirement)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    present = [found.version for found in distributions(name=wanted.name, path=[str(_INSTALLED)])]
    return not wanted.extras and any(wanted.specifier.contains(version) for version in present)


def pip_install(prefix: Path, wanted: list[str], *, apart: bool) -> int:
    """Run pip; returns its exit status."""
    environ = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environ["PYTHONDONTWRITEBYTECODE"] = ""  # pip starts itself and others several times
    environ["PYTHONPATH"] = str(packages_of(_DEPENDENCIES))
    if (INPUTS / "ca-certificates.crt").exists():
        environ["PIP_CERT"] = str(INPUTS / "ca-certificates.crt")
    options = ["--no-cache-dir", "--no-compile", "--no-warn-script-location"]
    if any(INPUTS.glob("*.whl")):
        options += ["--no-index", "--find-links", str(INPUTS)]
    with tempfile.TemporaryDirectory() as scratch:
        shutil.unpack_archive(
            pip_wheel(), scratch, "zip"
        )  # it runs packed, too, but is compiled each time then
        constraints = Path(scratch) / "constraints.txt"
        installed = distributions(path=[str(_INSTALLED)])
        constraints.write_text("".join(f"{found.name}=={found.version}\n" for found in installed))
        options += ["--target", str(prefix)] if apart else ["--prefix", str(prefix), "-c", str(constraints)]
        command = [sys.executable, f"{scratch}/pip", "install", *options, *wanted]
        return subprocess.run(command, env=environ, check=False).returncode


def pip_wheel() -> Path:
    """The pip that Python keeps for new virtual environments."""
    places = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    wheels = [wheel for place in places for wheel in place.glob("pip-*.whl")]
    if not wheels:
        raise SystemExit(f"install: there is no pip in {places}: the base image needs Python's venv module")
    return wheels[0]


def packages_of(prefix: Path) -> Path:
    """The folder that packages are installed in."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)}))


def slim(prefix: Path) -> None:
    """Remove packages' own tests, and compile the rest: servers cannot, as their root is read-only."""
    for tests in [path for path in prefix.rglob("tests") if path.is_dir() and any(path.glob("test_*.py"))]:
        shutil.rmtree(tests)
    compileall.compile_dir(prefix, maxlevels=30, quiet=2, workers=0)


if __name__ == "__main__":
    sys.exit(main())
