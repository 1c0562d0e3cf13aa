"""The package around the Echo environment: its manifest, its names, its older import path."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import echo_env
from echo_env.server.echo_environment import VERSION, EchoEnvironment

REPOSITORY = Path(__file__).parents[3]
PACKAGE = REPOSITORY / "envs" / "echo_env"


def manifest() -> dict[str, Any]:
    """The manifest. Its YAML is plain enough to be read without a library: keys and values on two levels."""
    found: dict[str, Any] = {}
    section = found
    for line in files("echo_env").joinpath("openenv.yaml").read_text().splitlines():
        key, _, value = line.strip().partition(": ")
        if line.endswith(":"):
            section = found[key.rstrip(":")] = {}
        elif line.startswith(" "):
            section[key] = value
        else:
            found[key] = value
    return found


def test_manifest_names_what_exists():
    for part, expected in {
        "client": "EchoEnv",
        "action": "EchoAction",
        "observation": "EchoObservation",
    }.items():
        entry = manifest()[part]
        assert entry["class_name"] == expected
        assert getattr(importlib.import_module(entry["module"]), expected) is getattr(echo_env, expected)
    assert manifest()["name"] == "echo_env"
    app, _, attribute = manifest()["app"].partition(":")
    assert (PACKAGE / f"{app.replace('.', '/')}.py").is_file()
    assert hasattr(importlib.import_module(f"echo_env.{app}"), attribute)


def test_versions_agree():
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    assert project["version"] == manifest()["version"] == VERSION
    assert EchoEnvironment().get_metadata().version == VERSION


def test_older_import_path_gives_the_same_classes():
    code = """
import envs.echo_env, echo_env
from envs.echo_env import EchoAction, EchoEnv
from envs.echo_env.models import EchoObservation
from envs.echo_env.server import echo_environment
import echo_env.server.echo_environment
assert envs.echo_env is echo_env
assert EchoAction is echo_env.EchoAction and EchoObservation is echo_env.EchoObservation
assert echo_environment is echo_env.server.echo_environment
assert echo_env.models.__spec__.name == "echo_env.models"
try:
    import envs.nonexistent_env
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "No module named 'envs.nonexistent_env'\n"


def test_client_loads_no_server_and_no_network_library():
    code = "import sys, echo_env; print({'fastapi', 'uvicorn', 'httpx', 'websockets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
