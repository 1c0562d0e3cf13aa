"""Start a sandbox's helper under a mechanism, and end it again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, Literal

from openenv_gym.errors import SandboxError
from openenv_gym.sandbox import bubblewrap, system_paths
from openenv_gym.sandbox.identity import Identity
from openenv_gym.sandbox.inside import landlock, main
from openenv_gym.sandbox.inside.frames import FrameError, receive_frame, send_frame
from openenv_gym.sandbox.paths import PathMap
from openenv_gym.sandbox.spec import SandboxSpec

Mechanism = Literal["bubblewrap", "landlock", "none"]

MAX_BODY = 64 << 20
_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 3.0

# The packages above the helper's own are not there inside, and importing them outside would cost time.
_BOOT = """
import sys, types
for name, path in (("openenv_gym", ""), ("openenv_gym.sandbox", sys.argv[1])):
    package = types.ModuleType(name)
    package.__path__ = [path]
    sys.modules[name] = package
from openenv_gym.sandbox.inside.main import main
main()
"""


class Helper:
    """A running helper process: its connection, and the only way to end it.

    Args:
        spec: The sandbox.
        mechanism: How to confine.

    Raises:
        SandboxError: It could not be started, or could not confine itself.
    """

    def __init__(self, spec: SandboxSpec, mechanism: Mechanism) -> None:
        self._stopping = threading.Lock()
        self._abandoned = False
        self._descriptor: int | None = None
        self.mechanism = mechanism
        self.identity = Identity.of_this_process() if mechanism == "none" else Identity.unprivileged()
        private = None if mechanism == "bubblewrap" else self._private_folder()
        self.paths = PathMap(spec, mounted=mechanism == "bubblewrap", private=private)
        self.connection, theirs = socket.socketpair()
        try:
            for mount in spec.mounts:
                if mount.writable:
                    self.identity.take_over(mount.source)
            with theirs:
                self._process = self._start(spec, theirs)
            _helpers.add(self)
            self._shake_hands(_configuration(spec, mechanism, self.identity, self.paths, private))
        except BaseException:
            self.stop()
            if private is not None:
                with contextlib.suppress(OSError):  # the guard has removed it if it came to run
                    private.rmdir()
            raise

    def stop(self) -> None:
        """End the helper and everything that it started. Idempotent, thread-safe, some seconds at most."""
        if self._abandoned:
            return
        # Ends a call that waits in another thread; the helper sees the end of its connection.
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        with self._stopping:
            self.connection.close()
            process: subprocess.Popen[bytes] | None = getattr(self, "_process", None)
            if process is not None and process.returncode is None:
                self._end(process)
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
            self.identity.release()

    def abandon(self) -> None:
        """Forget the helper without ending it: it belongs to the process that this one was forked from."""
        self._abandoned = True
        self.connection.close()
        self.identity.release()
        # Else the process object complains that nobody waited for it.
        self._process.returncode = 0

    def _private_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="openenv-gym-sandbox-"))
        if self.identity.own:
            os.chown(folder, self.identity.uid, self.identity.gid)
        return folder

    def _start(self, spec: SandboxSpec, theirs: socket.socket) -> subprocess.Popen[bytes]:
        helper = [system_paths.interpreter(), "-I", "-S", "-c", _BOOT]
        package = Path(main.__file__).parent.parent
        if self.mechanism != "bubblewrap":
            return _popen([*helper, str(package)], theirs)
        with contextlib.ExitStack() as stack:
            users = _pipe_with(_passwd(self.identity), stack)
            info, info_end = os.pipe()
            stack.callback(os.close, info_end)
            prefix = bubblewrap.command(spec, self.identity, users=users, info=info_end)
            process = _popen([*prefix, *helper, bubblewrap.PACKAGE_INSIDE], theirs, (users, info_end))
        with os.fdopen(info, "rb") as file:
            report = file.read()
        if report:
            with contextlib.suppress(ProcessLookupError):  # it has failed already; its stderr says why
                self._descriptor = os.pidfd_open(json.loads(report)["child-pid"])
        return process

    def _shake_hands(self, configuration: dict[str, Any]) -> None:
        self.connection.settimeout(_START_TIMEOUT)
        try:
            send_frame(self.connection, configuration)
            frame = receive_frame(self.connection, 0)
        except (OSError, FrameError) as error:
            raise SandboxError(
                f"{self.mechanism}: {error or type(error).__name__}{self._last_words()}"
            ) from error
        if frame is None:
            raise SandboxError(f"{self.mechanism}: the helper ended at its start{self._last_words()}")
        if "error" in frame[0]:
            raise SandboxError(f"{self.mechanism}: {frame[0]['error']}")
        if self._descriptor is None:
            self._descriptor = os.pidfd_open(frame[0]["pid"])
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _last_words(self) -> str:
        """What the failed start wrote to stderr."""
        assert self._process.stderr is not None
        self._process.kill()
        with self._process.stderr as stream:
            text = stream.read(4096).decode(errors="replace").strip()
        return f": {text}" if text else ""

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            # The helper itself first: what waits for it then ends by itself and has cleaned up.
            if self._descriptor is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_TIMEOUT)
        if process.stderr is not None:
            process.stderr.close()


_helpers: weakref.WeakSet[Helper] = weakref.WeakSet()


def _abandon_all() -> None:
    for helper in list(_helpers):
        helper.abandon()


os.register_at_fork(after_in_child=_abandon_all)


def _configuration(
    spec: SandboxSpec, mechanism: Mechanism, identity: Identity, paths: PathMap, private: Path | None
) -> dict[str, Any]:
    """What the helper is to do to itself; see `openenv_gym.sandbox.inside.confinement.confine`."""
    mounted = mechanism == "bubblewrap"
    confined = None
    if mechanism == "landlock":
        rules = _landlock_rules(spec, paths)
        confined = {"abi": landlock.abi(), "rules": rules, "network": spec.network}
    sockets = "internet" if mounted or spec.network else "none"
    return {
        "uid": identity.uid if identity.own else None,
        "gid": identity.gid if identity.own else None,
        "landlock": confined,
        "sockets": None if mechanism == "none" else sockets,
        "guard": not mounted,
        "private": str(private),
        "writable": [*paths.writable_inside, *(["/dev/shm"] if mounted else [])],
        "reachable": paths.all_inside,
        "alone": mounted or identity.own,
        "sees_processes": mounted,
        "shares_user": mechanism == "landlock" and not identity.own,
        "max_body": MAX_BODY,
    }


def _landlock_rules(spec: SandboxSpec, paths: PathMap) -> list[tuple[str, int]]:
    rules = [(path, landlock.READ) for path in system_paths.PROGRAMS]
    rules += [(path, landlock.READ) for path in system_paths.settings(network=spec.network)]
    rules += [(path, landlock.DEVICE) for path in system_paths.DEVICES]
    interpreter = system_paths.interpreter_folder()
    if interpreter is not None:
        rules.append((interpreter, landlock.READ))
    rules += [(path, landlock.READ) for path in paths.all_inside]
    return rules + [(path, landlock.WRITE) for path in paths.writable_inside]


def _popen(
    command: list[str], stdin: socket.socket, descriptors: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=stdin.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Nothing of the owner's environment may be seen in anybody's /proc.
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
        pass_fds=descriptors,
        # A Ctrl-C in the owner's terminal is the owner's to handle.
        start_new_session=True,
    )


def _passwd(identity: Identity) -> bytes:
    return f"sandbox:x:{identity.uid}:{identity.gid}::/tmp:/bin/sh\n".encode()


def _pipe_with(data: bytes, stack: contextlib.ExitStack) -> int:
    """The reading end of a pipe that holds ``data`` (less than a page) and then ends."""
    reading, writing = os.pipe()
    stack.callback(os.close, reading)
    os.write(writing, data)
    os.close(writing)
    return reading
