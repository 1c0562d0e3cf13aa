"""Serves a project's app from within the project's own environment.

A script: ``python uv_program.py INSTALLED SOCKET SOURCE [APP]``. It needs the standard library alone, of
Python 3.8 too: what the environment holds is the project's affair.

* ``INSTALLED`` is a pipe to which one byte is written: all that the project needs is installed.
* ``SOCKET`` is a listening socket to serve on.
* ``SOURCE`` is the project's folder, or the URL that it was installed from, with ``#SUBDIRECTORY`` if any.
* ``APP`` is its app as ``module:attribute``; without it the app is looked for.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

_NO_APP = 2  # exit status


def find_app(manifest: str | None, script: str | None) -> str | None:
    """Say which app a project serves, by its own words; ``None`` if it says nothing.

    Args:
        manifest: The text of its ``openenv.yaml``, whose ``app`` is relative to the project's folder.
        script: What its command ``server`` calls, ``package.module:function``, which is where its app is too.
    """
    module = script.partition(":")[0].strip() if script else None
    # One line at the top level, as every manifest has it: not worth a YAML parser, which may not be there.
    named = re.search(r"^app:[ \t]*[\"']?([\w.]+):([\w.]+)", manifest or "", re.MULTILINE)
    if named is None:
        return f"{module}:app" if module else None
    path, attribute = named.groups()
    # Where the folder is a package, its modules are better loaded by their full names.
    return f"{module if module and ('.' + module).endswith('.' + path) else path}:{attribute}"


def _find_installed_app(url: str) -> str:
    for distribution in importlib.metadata.distributions():
        origin: dict[str, Any] = json.loads(distribution.read_text("direct_url.json") or "{}")
        subdirectory = origin.get("subdirectory")
        if url == origin.get("url", "") + (f"#{subdirectory}" if subdirectory else ""):
            manifests = [file for file in distribution.files or () if file.name == "openenv.yaml"]
            scripts = [
                entry.value
                for entry in distribution.entry_points
                if (entry.group, entry.name) == ("console_scripts", "server")
            ]
            app = find_app(
                manifests[0].read_text(encoding="utf-8") if manifests else None,
                scripts[0] if scripts else None,
            )
            if app is not None:
                return app
    sys.stderr.write(
        f"what {url} installs names no app: it has neither a command 'server' ([project.scripts] in its "
        "pyproject.toml) nor an openenv.yaml among its package data: name the app, as in "
        "UVProvider(..., app='package.module:app')\n"
    )
    sys.exit(_NO_APP)


def _serve(app: str, fd: int) -> int:
    if importlib.util.find_spec("openenv_gym") is not None:
        # Drains, and knows engines. Of the version that the project asks for, so by name.
        server = importlib.import_module("openenv_gym.server.serve")
        return int(server.main([app, "--fd", str(fd)]))
    if importlib.util.find_spec("uvicorn") is None:
        sys.stderr.write("the project depends on nothing that serves it: openenv-gym[server] or uvicorn\n")
        return _NO_APP
    import uvicorn

    config = uvicorn.Config(app)
    config.load()  # before it handles signals: an app that hangs in loading can still be ended
    plain = uvicorn.Server(config)
    plain.run(sockets=[socket.socket(fileno=fd)])
    return 0 if plain.started else 1


def main(installed: str, listener: str, source: str, app: str = "") -> int:
    """Run the command line; returns the exit status."""
    os.write(int(installed), b".")
    os.close(int(installed))
    del sys.path[0]  # this file's folder, whose modules are not the project's
    if Path(source).is_dir():
        os.chdir(source)  # as if it were run there by hand
        sys.path.insert(0, source)
    return _serve(app or _find_installed_app(source), int(listener))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
