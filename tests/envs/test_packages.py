"""What every environment package consists of, read from its files: no package need be installed for it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from openenv_gym.registry.environments import BUILT_IN
from tests.documents import ROOT

PACKAGES = sorted(path.parent for path in ROOT.glob("envs/*_env/openenv.yaml"))
ROOT_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)


def manifest(package: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((package / "openenv.yaml").read_text())
    return found


def project(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())


def defined_names(file: Path) -> set[str]:
    """The names that a module's top level binds."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def module_file(package: Path, module: str) -> Path:
    """Where a module of the package is, by its absolute name or by one relative to the package."""
    inner = module.removeprefix(f"{package.name}.").replace(".", "/")
    return package / f"{inner}.py"


@each_package
def test_the_manifest_names_what_exists(package: Path) -> None:
    described = manifest(package)
    assert described["name"] == package.name
    for part in ("client", "action", "observation"):
        entry = described[part]
        assert entry["class_name"] in defined_names(module_file(package, entry["module"])), part
    app, _, attribute = described["app"].partition(":")
    assert attribute in defined_names(module_file(package, app))
    assert described["default_image"] == f"{package.name.replace('_', '-')}:latest"


@each_package
def test_the_package_loads_its_client_only_when_it_is_asked_for(package: Path) -> None:
    """A server imports the package too, for the models."""
    tree = ast.parse((package / "__init__.py").read_text())
    loaded = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert loaded <= {"__future__", "typing", "openenv_gym.lazy_names", f"{package.name}.models"}
    (lazy,) = (
        ast.literal_eval(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names"
    )
    described = manifest(package)["client"]
    assert lazy == {described["class_name"]: f"{package.name}.client"}
    names = defined_names(package / "__init__.py")
    (offered,) = (ast.literal_eval(node.value) for node in tree.body if is_assignment_to(node, "__all__"))
    assert {*lazy, *offered} <= names
    assert lazy.keys() < set(offered)


def is_assignment_to(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name


@each_package
def test_the_project_holds_every_part(package: Path) -> None:
    built = project(package)
    assert built["project"]["version"] == manifest(package)["version"]
    options = built["tool"]["setuptools"]
    folders = {path.parent for path in package.rglob("__init__.py")}
    names = {".".join((package.name, *folder.relative_to(package).parts)) for folder in folders}
    assert set(options["packages"]) == names
    assert options["package-dir"][package.name] == "."
    assert (package / "py.typed").is_file()
    module, _, function = built["project"]["scripts"]["server"].partition(":")
    assert function in defined_names(module_file(package, module))


@each_package
def test_the_root_project_knows_it(package: Path) -> None:
    name = project(package)["project"]["name"]
    assert name == f"openenv-gym-{package.name.removesuffix('_env').replace('_', '-')}"
    assert ROOT_PROJECT["tool"]["uv"]["sources"][name] == {"workspace": True}
    extra = name.removeprefix("openenv-gym-")
    assert name in ROOT_PROJECT["project"]["optional-dependencies"][extra]
    assert package.name in ROOT_PROJECT["tool"]["ruff"]["lint"]["isort"]["known-first-party"]


@each_package
def test_the_image_runs_its_server(package: Path) -> None:
    lines = (package / "server/Dockerfile").read_text().splitlines()
    assert f'CMD ["{package.name}.server.app:app"]' == lines[-1]
    assert f"COPY envs/{package.name} /build/{package.name}" in lines
    final = lines[lines.index("FROM ${BASE_IMAGE}") :]
    users = [line for line in final if line.startswith("USER")]
    assert users[-1:] in ([], ["USER 65534:65534"]), "what is root for a step is not left so"
    assert any(line.endswith(f"-t {manifest(package)['default_image']} .") for line in lines)
    # An installed package is all that its image is built from.
    data = project(package)["tool"]["setuptools"]["package-data"]
    assert {"openenv.yaml", "pyproject.toml", "README.md"} <= set(data[package.name])
    assert "Dockerfile" in data[f"{package.name}.server"]


def test_the_base_image_is_nobodys() -> None:
    lines = (ROOT / "servers/base/Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 65534:65534"]
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_every_environment_is_of_a_package() -> None:
    names = {package.name for package in PACKAGES}
    extras = ROOT_PROJECT["project"]["optional-dependencies"]
    for entry in BUILT_IN:
        if entry.server is None:
            continue
        module, _, attribute = entry.server.partition(":")
        package = module.partition(".")[0]
        assert package in names, entry.name
        assert {attribute, "__getattr__"} & defined_names(module_file(ROOT / "envs" / package, module))
        assert entry.extra in extras, entry.name
