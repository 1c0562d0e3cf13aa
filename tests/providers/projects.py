"""Small projects for `UVProvider`, which need nothing but uvicorn."""

from __future__ import annotations

import subprocess
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[2] / "requirements/development.txt"
"""Versions that the tests' own environment has too, so that they lie in uv's cache."""

_PYPROJECT = """
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = {dependencies}

[project.scripts]
{script}

[tool.uv.build-backend]
module-root = ""
"""
_APP = """
import json, os, sys
{preface}
FACTS = {{"name": __name__, "cwd": os.getcwd(), "prefix": sys.prefix, "color": os.environ.get("COLOR")}}

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": json.dumps(FACTS).encode()}})

def main():
    pass
"""


def make_project(
    folder: Path,
    *,
    preface: str = "",
    script: bool = True,
    manifest: str | None = "app: tiny_env.server.app:app\n",
    dependencies: tuple[str, ...] = ("uvicorn",),
    package: bool = True,
) -> Path:
    """Write a project whose app answers everything with facts, built by what uv brings along, in no time.

    Args:
        folder: Where.
        preface: Code at the app's beginning.
        script: Whether it has the command ``server``.
        manifest: Its ``openenv.yaml``.
        dependencies: What it asks for.
        package: Whether it is one, which is installed; else its files are used as they lie.
    """
    server = folder / "tiny_env/server"
    server.mkdir(parents=True)
    text = _PYPROJECT.format(
        name="tiny_env",
        dependencies=list(dependencies),
        script='server = "tiny_env.server.app:main"' if script else "",
    )
    (folder / "pyproject.toml").write_text(text if package else text[text.index("[project]") :])
    for module in (server.parent, server):
        (module / "__init__.py").touch()
    (server / "app.py").write_text(_APP.format(preface=preface))
    if manifest is not None:
        (folder / "openenv.yaml").write_text(manifest)
        (folder / "tiny_env/openenv.yaml").write_text(manifest)  # installed with the package
    return folder


def commit(repository: Path) -> str:
    """Make a folder a git repository of one commit on the branch ``trunk``; returns its id."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        done = subprocess.run(
            ["git", "-C", str(repository), *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "trunk")
    git("add", "-A")
    git("commit", "-q", "-m", "a project")
    return git("rev-parse", "HEAD")
