"""Serves a folder of web pages to this machine's browsers, on a thread."""

from __future__ import annotations

import functools
import logging
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class StaticSite:
    """A web server of files, on loopback and a free port. Files are all it has: nothing in it is secret.

    Args:
        folder: What to serve; nothing above it, nor behind links out of it.
    """

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Handler, directory=str(folder.resolve(strict=True)))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="static-site", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a page's dozen files over one connection
    timeout = 60.0

    def translate_path(self, path: str) -> str:
        """Map a URL to a file; links that lead out of the folder lead nowhere."""
        file = Path(super().translate_path(path)).resolve()
        return str(file) if file.is_relative_to(self.directory) else ""

    def list_directory(self, path: Any) -> None:
        """Refuse: pages are found by their addresses."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *arguments: Any) -> None:
        logger.debug(format, *arguments)
