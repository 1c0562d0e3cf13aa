"""A server of a few lines for any image with Python, and images of a few lines that are built at once."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import docker

PROGRAM = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        facts = {"environ": dict(os.environ), "uid": os.getuid(), "gid": os.getgid()}
        self.wfile.write(json.dumps(facts).encode())
    def log_message(self, *arguments):
        pass
print("serving with", os.environ.get("OPENENV_GYM_TOKEN"), flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""
COMMAND = ("python3", "-c", PROGRAM, "8000")


@contextmanager
def built(client: docker.DockerClient, *lines: str) -> Iterator[str]:
    """The tag of an image of these lines of a Dockerfile, which say FROM what."""
    tag = f"openenv-gym-tiny:{secrets.token_hex(6)}"
    dockerfile = io.BytesIO("\n".join(lines).encode())
    client.images.build(fileobj=dockerfile, tag=tag, network_mode="none", rm=True, forcerm=True)
    try:
        yield tag
    finally:
        client.images.remove(tag, force=True)
