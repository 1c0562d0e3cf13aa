"""A spawned worker process as its server sees it: messages in and out, its exit, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from openenv_gym.wire import pipe

logger = logging.getLogger(__name__)

_WATCH_INTERVAL = 1.0  # seconds
_NOT_FOR_WORKERS = {"OPENENV_GYM_TOKEN"}  # it opens the server to whoever reads it


class WorkerGoneError(Exception):
    """The worker died, or sent what is no frame; the message says how."""


class WorkerProcess:
    """A worker; make it with `spawn`. One message is in flight at a time."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        alive_fd: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._alive_fd: int | None = alive_fd
        self._reader = reader
        self._writer = writer
        self._watching = asyncio.get_running_loop().call_later(_WATCH_INTERVAL, self._watch)

    @classmethod
    async def spawn(cls) -> WorkerProcess:
        """Start a fresh interpreter in a process group of its own.

        Never by fork: the server has threads. The worker's output goes to the server's standard error. The
        kernel kills the whole group once the server's end of the ``alive`` pipe is gone, for whatever reason.
        """
        ours, theirs = socket.socketpair()
        alive_read, alive_write = os.pipe()
        environ = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_WORKERS}
        environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        fds = (theirs.fileno(), alive_read)
        module = "openenv_gym.server.worker"
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - a few milliseconds, and no thread
                [sys.executable, "-u", "-P", "-m", module, *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=fds,
                env=environ,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            os.close(alive_write)
            raise
        finally:
            theirs.close()
            os.close(alive_read)
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            os.close(alive_write)
            process.kill()
            process.wait()
            raise
        return cls(process, alive_write, reader, writer)

    @property
    def pid(self) -> int:
        """The worker's process id, which is its group's too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not exited."""
        return not self._has_exited()

    async def call(self, frame: bytes) -> Any:
        """Send one encoded message and await the answer.

        Raises:
            WorkerGoneError: There will be none.
        """
        try:
            self._writer.write(frame)
            await self._writer.drain()
            header = await self._reader.readexactly(pipe.HEADER_SIZE)
            return pipe.decode(await self._reader.readexactly(pipe.body_size(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerGoneError(await self._obituary()) from None
        except pipe.FrameError as error:
            raise WorkerGoneError(f"its worker process sent something else than a reply ({error})") from None

    def _watch(self) -> None:
        """End the stream when the worker is dead: a forked child of it may keep the socket open."""
        if self._has_exited():
            self._reader.feed_eof()
        else:
            self._watching = asyncio.get_running_loop().call_later(_WATCH_INTERVAL, self._watch)

    async def close(self, timeout: float) -> None:
        """Ask the worker to close its environment and exit; kill what is left after ``timeout`` seconds."""
        try:
            self._writer.write(pipe.encode(["close"]))
            if not await self._wait_exited(timeout):
                logger.error("worker %d did not close within %g s and is killed", self.pid, timeout)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill the worker's process group, reap the worker, and free its descriptors. Idempotent.

        Who is cancelled meanwhile is told so afterwards: nobody else would reap it.
        """
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # before reaping: until then the number is no one else's
        self._watching.cancel()
        if self._alive_fd is not None:
            os.close(self._alive_fd)
            self._alive_fd = None
        self._writer.transport.abort()
        cancelled: asyncio.CancelledError | None = None
        reaping = asyncio.create_task(self._reap())
        while not reaping.done():
            try:
                await asyncio.shield(reaping)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        reaping.result()

    async def _reap(self) -> None:
        if await self._wait_exited(5.0):
            self._process.wait()
        else:
            logger.error("worker %d does not die", self.pid)

    def _has_exited(self) -> bool:
        """Look without reaping."""
        return self._process.returncode is not None or self._peek_exit() is not None

    def _peek_exit(self) -> os.waitid_result | None:
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # `kill` reaped it meanwhile
            return None

    async def _wait_exited(self, timeout: float) -> bool:
        deadline = asyncio.get_running_loop().time() + timeout
        pause = 0.001
        while not self._has_exited():
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True

    async def _obituary(self) -> str:
        if not await self._wait_exited(2.0):
            return "its worker process closed the connection to the server"
        status = self._peek_exit()
        if status is None:
            return "its worker process was killed and reaped"
        if status.si_code == os.CLD_EXITED:
            return f"its worker process exited with status {status.si_status}"
        name = signal.Signals(status.si_status).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"its worker process was killed by {name}{hint}"
