"""A server that starts in a moment and misbehaves on request: `tiny_server.py FD MODE...`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SLEEPER = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/health" and self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, {})
        return self.answer(503 if "sick" in MODES else 200, FACTS)

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def stubborn_tree() -> list[int]:
    """A child that ignores SIGTERM, and an orphan two forks away in a session of its own."""
    ignore = "from signal import *; import time; signal(SIGTERM, SIG_IGN); print(flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ignore], stdout=subprocess.PIPE)
    child.stdout.readline()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        orphan = subprocess.Popen(SLEEPER, start_new_session=True)
        os.write(writer, str(orphan.pid).encode())
        os._exit(0)
    orphan = int(os.read(reader, 32))
    os.wait()
    return [child.pid, orphan]


MODES = set(sys.argv[2:])
TOKEN = os.environ["OPENENV_GYM_TOKEN"]
FACTS = {"pid": os.getpid(), "guard": os.getppid(), "argv": sys.argv, "environ": dict(os.environ), "tree": []}

if __name__ == "__main__":
    if "deaf" in MODES:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "leaks" in MODES:
        print("token", TOKEN)
    if "chatty" in MODES:
        for number in range(60_000):
            print(f"{number:08d} {'x' * 90}")
    if "tree" in MODES:
        FACTS["tree"] = stubborn_tree()
        print("tree", *FACTS["tree"])
    if "dies" in MODES:
        print("last words", file=sys.stderr)
        sys.exit(3)
    if "killed" in MODES:
        os.kill(os.getpid(), signal.SIGKILL)
    if "mute" in MODES:
        time.sleep(600)
    if sys.argv[1].startswith("port="):
        server = HTTPServer(("127.0.0.1", int(sys.argv[1].removeprefix("port="))), Handler)
    else:
        server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = socket.socket(fileno=int(sys.argv[1]))
    server.serve_forever()
