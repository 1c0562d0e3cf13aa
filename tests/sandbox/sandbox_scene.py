"""Sets the scene for the attacks of `sandbox_attacks`: what there would be to steal, break or kill."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from openenv_gym.sandbox import Limits, Mount, Sandbox, SandboxSpec, launcher, open_sandbox, system_paths
from openenv_gym.sandbox.inside import syscall_numbers

ATTACKS = Path(__file__).with_name("sandbox_attacks.py")
MECHANISMS = ("bubblewrap", "landlock", "landlock-abi-2")
"""The last one is Landlock as Debian 12's kernel has it: no scopes, no rights for TCP and truncation."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that other users can reach, as a sandbox's user must; pytest's own cannot be."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def open_by(mechanism: str, spec: SandboxSpec) -> Sandbox:
    """Open a sandbox; an old Landlock by telling the library that the kernel's version is 2."""
    if mechanism != "landlock-abi-2":
        return open_sandbox(spec, mechanism)
    real = launcher.landlock.abi
    launcher.landlock.abi = lambda: min(2, real())
    try:
        return open_sandbox(spec, "landlock")
    finally:
        launcher.landlock.abi = real


def python_inside(sandbox: Sandbox) -> str:
    """A Python that the sandbox's programs can run: not every installation's folder lets others in."""
    for candidate in (system_paths.interpreter(), "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if sandbox.run([candidate, "-c", "pass"]).exit_code == 0:
                return candidate
    raise AssertionError("no Python that other users can run: install python3 (apt-get install python3)")


FORKS = """
import os, time
children = 0
try:
    while children < 200:
        if os.fork() == 0:
            time.sleep(60)
        children += 1
except OSError:
    pass
print(children)
"""

DAEMON = """
import os, time
if os.fork() == 0:
    try:
        os.setsid()
    except OSError:
        pass  # refused, where that is how it stays in reach
    if os.fork() == 0:
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(60)
    os._exit(0)
os.wait()
print("started")
"""


def living(marker: str) -> list[str]:
    """Processes of this machine with ``marker`` among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if marker in path.read_text(errors="replace"):
                found.append(str(path))
    return found


class Scene:
    """An owner with secrets, sockets and processes, as attackers would like to find them."""

    def __init__(self, base: Path) -> None:
        self.marker = f"secret-{uuid.uuid4().hex}"
        self.workspace = base / "workspace"
        self.read_only = base / "read_only"
        for path in (self.workspace, self.read_only):
            path.mkdir()
        (self.read_only / "shared").write_text("shared")
        (self.read_only / "shared").chmod(0o666)
        self.read_only.chmod(0o777)
        outside = base / "outside"
        outside.mkdir()
        outside.chmod(0o777)
        self.secret = outside / "secret"
        self.secret.write_text(self.marker)
        self.victim = outside / "victim"
        self.victim.write_text("untouched")
        self.victim.chmod(0o666)
        self._stack = contextlib.ExitStack()
        self._tcp = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._udp = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind(("127.0.0.1", 0))
        self._abstract = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self._abstract.bind("\0" + self.marker)
        self._abstract.listen()
        self._path = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self._path.bind(str(outside / "socket"))
        (outside / "socket").chmod(0o777)
        self._path.listen()
        self._answering = threading.Thread(target=self._answer)
        self._answering.start()
        # Runs as the owner's own user, and must survive everything.
        self.bystander = subprocess.Popen(["sleep", "60"], env={**os.environ, "SECRET": self.marker})

    def close(self) -> None:
        self.bystander.kill()
        self.bystander.wait()
        self._udp.sendto(b"stop", self._udp.getsockname())
        self._answering.join()
        self._stack.close()

    def spec(self) -> SandboxSpec:
        mounts = (Mount(self.workspace, "/workspace", writable=True), Mount(self.read_only, "/read_only"))
        return SandboxSpec(mounts=mounts, workdir="/workspace")

    def attack(self, sandbox: Sandbox) -> dict[str, str]:
        """Run every attack inside; what came of each, and what the owner found afterwards."""
        return self.attempt(sandbox, ()) | self.damage() | self._excess(sandbox)

    def attempt(self, sandbox: Sandbox, only: Sequence[str]) -> dict[str, str]:
        """Run the attacks of these names, or all."""
        facts = {**self.facts(), "read_only": sandbox.path_inside("/read_only"), "only": list(only)}
        source = ATTACKS.read_text()
        argv = [python_inside(sandbox), "-I", "-c", source, json.dumps(facts)]
        completed = sandbox.run(argv)
        if completed.exit_code != 0:
            raise AssertionError(f"the attacks did not run: {completed}")
        results: dict[str, str] = json.loads(completed.stdout)
        return results

    def facts(self) -> dict[str, object]:
        """What the attackers would have to guess."""
        interpreter = system_paths.interpreter_folder() or "/"
        return {
            "syscalls": syscall_numbers.numbers(platform.machine()),
            "tcp_port": self._tcp.getsockname()[1],
            "udp_port": self._udp.getsockname()[1],
            "abstract_socket": self.marker,
            "unix_socket": str(self.secret.parent / "socket"),
            "secret": str(self.secret),
            "victim": str(self.victim),
            "read_only": str(self.read_only),
            "owner": os.getpid(),
            "owner_cmdline": Path("/proc/self/cmdline").read_text(),
            "bystander": self.bystander.pid,
            "marker": self.marker,
            "only": [],
            # The way to the interpreter's installation is visible, nothing beside it.
            "allowed_names": list(Path(interpreter).parts),
            # An unprivileged owner cannot give up its groups.
            "keeps_groups": os.geteuid() != 0,
        }

    def damage(self) -> dict[str, str]:
        """What attacks may have done without noticing."""
        status = self.victim.stat()
        checks = {
            "after_all_the_bystander_lives": self.bystander.poll() is None,
            "after_all_the_victims_content_is_whole": self.victim.read_text() == "untouched",
            "after_all_the_victims_mode_is_the_same": status.st_mode & 0o777 == 0o666,
            "after_all_the_shared_file_is_whole": (self.read_only / "shared").read_text() == "shared",
        }
        return {name: "refused" if whole else "BREACH" for name, whole in checks.items()}

    def _excess(self, sandbox: Sandbox) -> dict[str, str]:
        """Too many processes, and one that tries to stay."""
        python = python_inside(sandbox)
        completed = sandbox.run([python, "-I", "-S", "-c", FORKS], limits=Limits(processes=20))
        daemon = sandbox.run([python, "-I", "-S", "-c", DAEMON, f"daemon-{self.marker}"])
        checks = {
            "fork_beyond_the_limit": completed.exit_code == 0 and 5 <= int(completed.stdout) < 60,
            "leave_a_daemon": daemon.stdout == b"started\n" and not living(f"daemon-{self.marker}"),
        }
        return {name: "refused" if held else "BREACH" for name, held in checks.items()}

    def _answer(self) -> None:
        while True:
            data, address = self._udp.recvfrom(100)
            if data == b"stop":
                return
            self._udp.sendto(b"pong", address)


def attack_by(mechanism: str) -> dict[str, str]:
    """All attacks under one mechanism: name -> "refused..." or "BREACH..."."""
    with folder() as base:
        scene = Scene(base)
        try:
            with open_by(mechanism, scene.spec()) as sandbox:
                return scene.attack(sandbox)
        finally:
            scene.close()


if __name__ == "__main__":
    print(json.dumps({mechanism: attack_by(mechanism) for mechanism in sys.argv[1:]}))
