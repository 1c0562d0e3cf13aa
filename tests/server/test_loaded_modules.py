"""What a server's processes load: nothing that clients, trainers or environments with arrays need."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx

from echo_env import EchoAction, EchoEnv

ROOT = Path(__file__).parents[2]
NOT_FOR_SERVERS = {
    "docker",
    "echo_env.client",
    "fastmcp",
    "gymnasium",
    "httpx",
    "nicegui",
    "numpy",
    "openenv_gym.adapters",
    "openenv_gym.cli",
    "openenv_gym.client",
    "openenv_gym.engines",
    "openenv_gym.providers",
    "openenv_gym.spaces",
    "openenv_gym.transport",
    "pettingzoo",
    "rich",
    "torch",
}
NOT_FOR_WORKERS = {"fastapi", "openenv_gym.server.app", "starlette", "uvicorn", "websockets"}


def loaded_by_serving(app: str, log_path: Path) -> Counter[str]:
    """Serve an episode; return how often each module was asked for and not there yet."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = [sys.executable, "-W", "error", "-m", "openenv_gym.server.serve", app]
    with log_path.open("wb") as log:
        server = subprocess.Popen(
            [*command, "--fd", str(listener.fileno())],
            cwd=ROOT,
            # Python then writes a line for each import, in each process.
            env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
    listener.close()
    try:
        for path in ("/health", "/schema", "/metadata"):
            assert httpx.get(url + path, timeout=60).status_code == 200, log_path.read_text()[-2000:]
        with EchoEnv(base_url=url).sync() as session:
            session.reset()
            assert session.step(EchoAction(message="hello")).observation.echoed_message == "hello"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait(60)
    return Counter(re.findall(r"^import time: .*\| +([\w.]+)$", log_path.read_text(), re.MULTILINE))


def test_a_server_of_echo_loads_only_what_it_serves_with(tmp_path: Path) -> None:
    loaded = loaded_by_serving("echo_env.server.app:app", tmp_path / "log")
    assert {"fastapi", "uvicorn", "echo_env.models"} <= loaded.keys()
    assert NOT_FOR_SERVERS & loaded.keys() == set()


def test_a_worker_process_loads_no_server(tmp_path: Path) -> None:
    loaded = loaded_by_serving("tests.server.echo_in_workers:make_app", tmp_path / "log")
    assert loaded["echo_env.models"] >= 2
    assert NOT_FOR_SERVERS & loaded.keys() == set()
    assert {module: loaded[module] for module in NOT_FOR_WORKERS} == dict.fromkeys(NOT_FOR_WORKERS, 1)
