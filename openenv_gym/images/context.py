"""A build's context: a temporary folder with what the Dockerfile may see, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from openenv_gym.errors import UsageError
from openenv_gym.images.sources import ImageSources

WHEELHOUSE = "wheelhouse"
AUTHORITIES = "ca-certificates.crt"

_SECRETS = (
    ".env", ".env.*", ".netrc", ".pypirc", ".npmrc", ".ssh", ".aws", ".docker", ".kube", ".gnupg",
    "id_rsa*", "id_ed25519*", "*.key", "*.p12", "*.kdbx",
)  # fmt: skip
_MAY_BE_SECRET = "*.pem"  # certificates, which are for all to see, or keys
_PRIVATE_KEY = b"PRIVATE KEY-----"
_KEPT = (".env.example",)
# What version control and tools keep, and what is built anew.
_LEFTOVERS = (
    ".git", ".hg", ".svn", ".venv*", "venv", ".tox", ".nox", "node_modules", "__pycache__", "*.pyc",
    "*.egg-info", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis",
)  # fmt: skip


@contextlib.contextmanager
def build_context(
    sources: ImageSources, *, wheelhouse: Path | None = None, authorities: Path | None = None
) -> Iterator[Path]:
    """Gather a build's context in a folder that is gone afterwards.

    Args:
        sources: What the image is built from. Secrets and leftovers of tools are left out.
        wheelhouse: A folder whose wheels are put into the context.
        authorities: A file of certificates to put into the context, for builds in a network that needs them.

    Raises:
        UsageError: The wheelhouse holds no wheels, or a file cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="openenv-gym-build-") as name:
        folder = Path(name)
        try:
            for target, path in sources.files.items():
                _copy(path, folder / target)
            if wheelhouse is not None:
                _link_wheels(wheelhouse, folder / WHEELHOUSE)
            if authorities is not None:
                shutil.copyfile(authorities, folder / AUTHORITIES)
        except (OSError, shutil.Error) as error:
            raise UsageError(f"the build's context cannot be made: {error}") from error
        yield folder


def secrets(sources: ImageSources) -> list[str]:
    """What a context leaves out of the sources because it may be secret, by the paths it would have had."""
    return sorted(
        str(Path(target, path.relative_to(root)))
        for target, root in sources.files.items()
        for path in root.rglob("*")
        if _is_secret(path) and not any(_matches(part, _LEFTOVERS) for part in path.relative_to(root).parts)
    )


def digest(sources: ImageSources) -> str:
    """What tells one state of the sources from another."""
    found = hashlib.sha256()
    for target, path in sorted(sources.files.items()):
        for file in sorted(_files(path)):
            name = f"{target}/{file.relative_to(path)}".encode()
            content = bytes(file.readlink()) if file.is_symlink() and file != path else file.read_bytes()
            found.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return found.hexdigest()


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        # Links stay links: the engine resolves them within the context, so that none leads out of it.
        shutil.copytree(path, target, symlinks=True, ignore=_ignored, dirs_exist_ok=True)
    else:
        shutil.copy2(path, target)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        ignored = _ignored(folder, [*folders, *files])
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in ignored and name not in links]
        yield from (Path(folder) / name for name in [*files, *links] if name not in ignored)


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if _is_secret(Path(folder, name)) or _matches(name, _LEFTOVERS)}


def _is_secret(path: Path) -> bool:
    if fnmatch(path.name, _MAY_BE_SECRET) and path.is_file():
        return _PRIVATE_KEY in path.read_bytes()
    return _matches(path.name, _SECRETS) and path.name not in _KEPT


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _link_wheels(wheelhouse: Path, target: Path) -> None:
    wheels = sorted(wheelhouse.glob("*.whl"))
    if not wheels:
        raise UsageError(f"{wheelhouse} holds no wheels: fill it first, with --make-wheelhouse")
    target.mkdir()
    for wheel in wheels:
        try:
            os.link(wheel, target / wheel.name)
        except OSError:  # another file system, or not ours
            shutil.copyfile(wheel, target / wheel.name)
