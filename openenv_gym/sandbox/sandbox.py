"""One sandbox, as its owner uses it."""

from __future__ import annotations

import dataclasses
import errno
import os
import threading
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from openenv_gym.errors import ClosedError, SandboxError, UsageError
from openenv_gym.sandbox.inside.frames import FrameError, receive_frame, send_frame
from openenv_gym.sandbox.launcher import MAX_BODY, Helper, Mechanism
from openenv_gym.sandbox.process import SandboxProcess
from openenv_gym.sandbox.spec import PRIVATE_FOLDER, Completed, Limits, SandboxSpec

_GRACE = 10.0
_FILE_TIMEOUT = 30.0


class Sandbox:
    """Runs hostile programs; made by `openenv_gym.sandbox.open_sandbox`.

    A sandbox has one warm helper process inside, which starts programs, and reads and writes files with no
    more rights than they have. It ends with its owner, however that ends. Threads may share a sandbox: their
    calls take turns.

    Attributes:
        mechanism: What confines: ``"bubblewrap"``, ``"landlock"`` or ``"none"``.
        spec: What was asked for.
    """

    def __init__(self, spec: SandboxSpec, mechanism: Mechanism) -> None:
        for mount in spec.mounts:
            if not mount.source.is_dir():
                raise UsageError(f"the mount source {mount.source} is not a folder")
        self.spec = spec
        self.mechanism = mechanism
        self._turn = threading.Lock()
        self._closed = False
        self._helper = Helper(spec, mechanism)
        # Runs at garbage collection or at exit, whichever comes first.
        self._finalizer = weakref.finalize(self, self._helper.stop)

    # --- who and where ---------------------------------------------------------------------------------

    @property
    def uid(self) -> int:
        """The user that programs run as: an own one when the owner is root, else the owner's."""
        return self._helper.identity.uid

    @property
    def gid(self) -> int:
        """The group that programs run as."""
        return self._helper.identity.gid

    @property
    def usable(self) -> bool:
        """Calls can be made: it is not closed, and has not failed."""
        return not self._closed and self._finalizer.alive

    def path_inside(self, target_path: str) -> str:
        """A path as programs name it: itself under bubblewrap, else the host's path.

        Args:
            target_path: Absolute, or relative to the spec's ``workdir``.
        """
        return self._helper.paths.inside(target_path)

    def path_outside(self, target_path: str) -> Path:
        """The host's path of what is at ``target_path``.

        Raises:
            UsageError: It is below no mount, or exists only inside (``/tmp`` under bubblewrap).
        """
        return self._helper.paths.outside(target_path)

    def adopt(self, folder: Path) -> None:
        """Make programs the owner of a host's folder and all below it. Does something for root owners only.

        For folders that no program can reach yet: prepare a checkout, adopt it, then rename it into a mount.

        Raises:
            OSError: Something below cannot be given away.
        """
        if not self._helper.identity.own:
            return
        for _path, folders, files, descriptor in os.fwalk(folder):
            for name in (*folders, *files):
                os.chown(name, self.uid, self.gid, dir_fd=descriptor, follow_symlinks=False)
            os.fchown(descriptor, self.uid, self.gid)

    # --- programs --------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        environ: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float | None = None,
        limits: Limits | None = None,
    ) -> Completed:
        """Run a program to its end, without a shell, and kill everything that it leaves behind.

        Args:
            argv: The program, searched in the sandbox's ``PATH``, and its arguments.
            cwd: Folder to start in, as a target path; by default the spec's ``workdir``.
            environ: Variables on top of the spec's.
            stdin: All of its standard input.
            timeout: Seconds, when shorter than the limits' ``wall_seconds``.
            limits: Instead of the spec's.

        Raises:
            OSError: The program could not be started (`FileNotFoundError`, `PermissionError`, ...).
            SandboxError: The sandbox itself failed; it is of no more use.
            ClosedError: The sandbox was closed, before the call or during it.
        """
        request = self._program("run", argv, cwd, environ, timeout, limits)
        patience = request["limits"]["wall_seconds"] + _GRACE
        reply, output, _ = self._call(request, stdin, patience, 2 * request["limits"]["output_bytes"])
        length = reply.pop("stdout_length")
        return Completed(stdout=output[:length], stderr=output[length:], **reply)

    def popen(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        environ: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        stdin: int | None = None,
    ) -> SandboxProcess:
        """Start a program that lives on, to be spoken to over pipes. Arguments and errors: see `run`.

        Args:
            stdin: A descriptor to be its standard input instead of a pipe, for example one end of a socket
                pair for a protocol that leaves both outputs free. It stays the caller's to close.
        """
        request = self._program("start", argv, cwd, environ, None, limits)
        theirs: list[int] = []
        ours: list[IO[bytes] | None] = []
        try:
            for mode in ("wb", "rb", "rb"):
                if mode == "wb" and stdin is not None:
                    theirs.append(os.dup(stdin))
                    ours.append(None)
                    continue
                reading, writing = os.pipe()
                their_end, our_end = (reading, writing) if mode == "wb" else (writing, reading)
                theirs.append(their_end)
                ours.append(os.fdopen(our_end, mode, buffering=0))
            reply, _, received = self._call(request, b"", _GRACE, 0, theirs)
        except BaseException:
            for stream in ours:
                if stream is not None:
                    stream.close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return SandboxProcess(self, reply["pid"], received[0], ours)

    # --- files -----------------------------------------------------------------------------------------

    def read_file(self, path: str, max_bytes: int = 1 << 20, *, forbidden: Iterable[str] = ()) -> bytes:
        """Read a regular file below a mount; symbolic links are followed while they stay below it.

        Args:
            path: A target path.
            max_bytes: A larger file is refused.
            forbidden: Names, compared without case, that no component of the path (links' paths too) may
                have.

        Raises:
            OSError: As `open` raises; `PermissionError` when the path leaves its mount or is forbidden.
            SandboxError, ClosedError: As for `run`.
        """
        root, relative = self._helper.paths.split(path, write=False)
        request = {
            "op": "read",
            "root": root,
            "path": relative,
            "max_bytes": max_bytes,
            "forbidden": list(forbidden),
        }
        return self._call(request, b"", _FILE_TIMEOUT, max_bytes, path=path)[1]

    def write_file(self, path: str, data: bytes, *, forbidden: Iterable[str] = ()) -> None:
        """Create or replace a regular file below a writable mount, with its parent folders, in one step.

        Raises:
            OSError: As for `read_file`; EFBIG beyond the spec's ``file_bytes``.
            SandboxError, ClosedError: As for `run`.
        """
        root, relative = self._helper.paths.split(path, write=True)
        if len(data) > self.spec.limits.file_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        request = {"op": "write", "root": root, "path": relative, "forbidden": list(forbidden)}
        self._call(request, data, _FILE_TIMEOUT, 0, path=path)

    # --- the end ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Kill everything inside and clean up. Idempotent, bounded, ends a call in another thread."""
        self._closed = True
        self._finalizer()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        finalizer = getattr(self, "_finalizer", None)
        if finalizer is not None and finalizer.alive and not self._closed:
            warnings.warn(f"unclosed sandbox {self!r}", ResourceWarning, source=self, stacklevel=2)

    # --- requests --------------------------------------------------------------------------------------

    def _program(
        self,
        operation: str,
        argv: Sequence[str],
        cwd: str | None,
        environ: Mapping[str, str] | None,
        timeout: float | None,
        limits: Limits | None,
    ) -> dict[str, Any]:
        words = list(argv)
        if isinstance(argv, str) or not words:
            raise UsageError("argv is a sequence of words: the program and its arguments")
        limits = limits or self.spec.limits
        allowed = dataclasses.asdict(limits)
        if timeout is not None:
            allowed["wall_seconds"] = min(timeout, limits.wall_seconds)
        home = self.path_inside(PRIVATE_FOLDER)
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
        variables = {**base, **self.spec.environ, **(environ or {})}
        if any("\0" in text for text in (*words, *variables, *variables.values())):
            raise UsageError("arguments and environment variables cannot hold a null character")
        return {
            "op": operation,
            "argv": words,
            "cwd": self.path_inside(cwd or self.spec.workdir),
            "environ": variables,
            "limits": allowed,
        }

    def _ask_about(self, pid: int, operation: str) -> tuple[int | None, str | None]:
        """A long-lived program's exit code and the limit that it broke, each None where there is none."""
        reply = self._call({"op": operation, "pid": pid}, b"", _GRACE, 0)[0]
        return reply["exit_code"], reply["stopped_by"]

    def _call(
        self,
        request: dict[str, Any],
        body: bytes,
        patience: float,
        max_body: int,
        descriptors: Sequence[int] = (),
        path: str | None = None,
    ) -> tuple[dict[str, Any], bytes, list[int]]:
        """One request and its reply; a helper that fails to answer is given up."""
        if len(body) > MAX_BODY:
            raise UsageError(f"at most {MAX_BODY} bytes can be handed in")
        with self._turn:
            if self._closed:
                raise ClosedError("the sandbox is closed")
            if not self._finalizer.alive:
                raise SandboxError("the sandbox has failed before; open another one")
            connection = self._helper.connection
            try:
                connection.settimeout(patience)
                send_frame(connection, request, body, descriptors)
                frame = receive_frame(connection, max_body)
            except (OSError, FrameError) as error:
                raise self._failure(str(error)) from error
            except BaseException:
                # Interrupted between a request and its reply: the next reply would be taken for another's.
                self._finalizer()
                raise
        if frame is None:
            raise self._failure("its helper has ended")
        reply = frame[0]
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], path if path is not None else request["argv"][0])
        if "error" in reply:
            raise SandboxError(f"the sandbox's helper refused: {reply['error']}")
        return frame

    def _failure(self, reason: str) -> Exception:
        if self._closed:
            return ClosedError("the sandbox was closed while a call was running")
        self._finalizer()
        return SandboxError(f"the sandbox failed: {reason}")
