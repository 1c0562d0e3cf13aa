"""Runs a project's server by ``uv run``: from its folder or a git repository, with all that it depends on."""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openenv_gym.errors import ProviderError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.guarded_process import GuardedProcess, forks_held
from openenv_gym.providers.local import LocalProvider, Program
from openenv_gym.providers.uv_program import find_app

_PROGRAM = Path(__file__).with_name("uv_program.py")
# Of this process's own interpreter: the project has one of its own.
_OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__")
_SCP_LIKE = re.compile(r"(?P<user>[\w.-]+@)(?P<host>[\w.-]+):(?P<path>[^/].*)")
_URL = re.compile(r"(git\+)?(https?|ssh|file)://")


class UVProvider(LocalProvider):
    """Runs an environment's project as a child of this process, in a virtual environment of its own.

    The project is what OpenEnv calls one: a folder with ``pyproject.toml`` and an ``openenv.yaml`` that names
    the ``app``, or a command ``server`` that lies in the app's module. It is not to be installed beforehand:
    uv does so, in an environment which is made for this server and removed after it, out of a cache which
    makes every start but the first quick. The server runs as under `ProcessProvider`: on a free loopback
    port, with a token (which servers of other libraries do not ask for), and never longer than its owner.
    uv's own variables (``UV_OFFLINE``, ``UV_DEFAULT_INDEX``, ...) and configuration files hold. What it has
    to leave in its cache when it is stopped amid an installation is removed by ``uv cache prune``.

    It runs the project's code, which can do all that you can: start only projects you trust.

    Args:
        project: Its folder; the server runs there. Or the URL of a git repository, by https, ssh or file, as
            ``https://github.com/owner/envs@REV#subdirectory=PATH``: ``@REV`` chooses a branch, tag or commit,
            ``#subdirectory=PATH`` the project's folder, and both may be left out. Its app is then found by
            the command ``server``, or by an ``openenv.yaml`` that the project installs.
        app: The app as ``module:attribute``, if the project does not name it or has several. It comes before
            the ``ServerSpec``'s, and that before the project's own.
        extras: More requirements for the environment, for example ``["torch==2.9"]``.
        python: The Python to use, a version or a path; by default what the project asks for.
        install_timeout: Seconds until everything has to be installed. The first time may take minutes.
        ready_timeout: Seconds from then until the server has to answer ``GET /health``.
        stop_grace: Seconds the server gets to close its sessions before it is killed.

    Raises:
        UsageError: The URL carries a password, which everybody on this machine could read.
    """

    def __init__(
        self,
        project: str | os.PathLike[str],
        *,
        app: str | None = None,
        extras: Sequence[str] = (),
        python: str | None = None,
        install_timeout: float = 600.0,
        ready_timeout: float = 60.0,
        stop_grace: float = 10.0,
    ) -> None:
        super().__init__(ready_timeout=ready_timeout, stop_grace=stop_grace)
        self._project = os.fspath(project)
        self._url = _git_url(self._project)
        self._app = app
        self._options = [f"--with={requirement}" for requirement in extras]
        if python is not None:
            self._options.append(f"--python={python}")
        self._install_timeout = install_timeout
        self._installed = -1

    def __repr__(self) -> str:
        return f"UVProvider({self._project!r})"

    def _program(self, spec: ServerSpec) -> Program:
        app = self._app or spec.app
        if self._url is not None:
            where, source = ["--no-project", f"--with={self._url}"], _installed_from(self._url)
        else:
            folder = Path(self._project).absolute()
            project = _read_project(folder)
            where, source = _place(folder, project), str(folder)
            app = app or _app_of(folder, project)
        # A project may have variables of its own in a file; whose are read is not for where we were started.
        run = [_find_uv(), "run", "--isolated", "--no-env-file", *where, *self._options]
        serve = ["python", str(_PROGRAM), "{installed}", "{fd}", source, *([app] if app else [])]
        return Program([*run, "--", *serve], _environ())

    def _launch(
        self, template: Sequence[str], environ: Mapping[str, str], **inherited: int
    ) -> tuple[GuardedProcess, Endpoint]:
        with forks_held():  # a forked child must not hold the pipe's end, whose closing is waited for
            self._installed, writer = os.pipe()
            try:
                return super()._launch(template, environ, installed=writer, **inherited)
            except BaseException:
                os.close(self._installed)
                raise
            finally:
                os.close(writer)

    def _wait_until_ready(self, server: GuardedProcess, endpoint: Endpoint, name: str) -> None:
        try:
            poll = select.poll()
            poll.register(self._installed, select.POLLIN)
            happened = bool(poll.poll(self._install_timeout * 1000))
            is_installed = happened and bool(os.read(self._installed, 1))
        finally:
            os.close(self._installed)
        if is_installed:
            return super()._wait_until_ready(server, endpoint, name)
        if happened:
            code = server.wait(self._stop_grace)
            verdict = f"could not be installed from {self._project}: uv exited with code {code}"
        else:
            verdict = f"was not installed within {self._install_timeout:g} s from {self._project}"
        raise self._failure(name, verdict)


def _find_uv() -> str:
    """The program uv: the one on PATH, or the one that pip installed beside this Python."""
    beside = str(Path(sys.executable).parent) if sys.executable else os.defpath
    found = shutil.which("uv") or shutil.which("uv", path=beside)
    if found is None:
        raise ProviderError(
            "uv is not installed: pip install uv, or see https://docs.astral.sh/uv/getting-started/installation/"
        )
    return found


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_THIS_PYTHON}


# --- a git repository ----------------------------------------------------------------------------------


def _git_url(project: str) -> str | None:
    """What uv calls a git repository, if it is the URL of one."""
    if scp_like := _SCP_LIKE.fullmatch(project):
        project = "ssh://{user}{host}/{path}".format(**scp_like.groupdict())
    elif not _URL.match(project):
        return None
    if urlsplit(project).password is not None:
        raise UsageError("the project's URL carries a password, which others could see: let git ask for it")
    return project if project.startswith("git+") else f"git+{project}"


def _installed_from(url: str) -> str:
    """What the package installed from a git URL says of its origin: without revision, with the subfolder."""
    parts = urlsplit(url.removeprefix("git+"))
    path = parts.path.rpartition("@")[0] or parts.path
    subdirectory = re.search(r"(?:^|&)subdirectory=([^&]+)", parts.fragment)
    origin = parts._replace(path=path, fragment="").geturl()
    return f"{origin}#{subdirectory[1].strip('/')}" if subdirectory else origin


# --- a folder ------------------------------------------------------------------------------------------


def _read_project(folder: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is no project: it has no pyproject.toml. Give the folder of one, or a git URL that "
            "begins with https://, ssh:// or file://"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / 'pyproject.toml'} cannot be read: {error}") from error


def _place(folder: Path, project: Mapping[str, Any]) -> list[str]:
    """How uv is to take a folder."""
    if (folder / "uv.lock").exists():
        return [f"--project={folder}", "--frozen", "--no-default-groups"]
    if "build-system" not in project:
        return [f"--project={folder}", "--no-default-groups"]  # no package
    # As a package beside others: a member of a workspace would else be resolved with all of that.
    return ["--no-project", f"--with-editable={folder}"]


def _app_of(folder: Path, project: Mapping[str, Any]) -> str:
    try:
        manifest = (folder / "openenv.yaml").read_text(encoding="utf-8")
    except FileNotFoundError:
        manifest = None
    app = find_app(manifest, project.get("project", {}).get("scripts", {}).get("server"))
    if app is not None:
        return app
    problem = (
        "has no openenv.yaml" if manifest is None else "has an openenv.yaml without 'app: module:attribute'"
    )
    raise UsageError(
        f"{folder} {problem}, and its pyproject.toml has no command 'server' under [project.scripts]: "
        "name its app, as in UVProvider(..., app='server.app:app')"
    )
