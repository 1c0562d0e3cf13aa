"""Runs git hardened: a private configuration, no shell, no prompt, bounded, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from git_env.network import network_environ

# Settings that travel through our own global file and not through `-c`: git clears `-c` (and its
# environment form) for the `upload-pack` that serves a local clone, but keeps GIT_CONFIG_GLOBAL.
_CONFIGURATION = """\
[core]
    hooksPath = /dev/null
    fsmonitor = false
    askPass =
    attributesFile = /dev/null
[credential]
    helper =
[safe]
    # What git may enter is decided by the host (clone_source.py), not by who owns the folder.
    directory = *
    bareRepository = explicit
[gc]
    auto = 0
[receive]
    autogc = false
    advertisePushOptions = false
    maxInputSize = {push_bytes}
[maintenance]
    auto = false
[uploadpack]
    allowFilter = true
[http]
    getanyfile = false
    receivepack = {allow_push}
[init]
    templateDir =
    defaultBranch = main
[advice]
    detachedHead = false
"""

_ERROR_TAIL = 4096


class GitFailedError(Exception):
    """git ended with an error; the message is the end of what it wrote, not yet fit for a client."""


class GitTimeoutError(Exception):
    """git was killed at its deadline."""


@dataclass(frozen=True)
class GitConfiguration:
    """A private home and global configuration, so that neither the user's nor the system's apply."""

    home: Path

    @classmethod
    def write(cls, home: Path, *, allow_push: bool, push_bytes: int) -> GitConfiguration:
        """Create ``home`` with its configuration file."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = _CONFIGURATION.format(allow_push=str(allow_push).lower(), push_bytes=push_bytes)
        (home / "gitconfig").write_text(text, encoding="utf-8")
        return cls(home)

    def environ(self, *, protocols: str = "none") -> dict[str, str]:
        """Return the whole environment for one git process.

        Args:
            protocols: The transports that git may open, as ``GIT_ALLOW_PROTOCOL`` ("http:https").
        """
        return {
            **network_environ(),
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": str(self.home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",  # a partial clone names its own programs for fetching what it lacks
            "GIT_SSH_COMMAND": "false",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


@contextlib.asynccontextmanager
async def git_process(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdin: int | IO[bytes],
    stderr: IO[bytes],
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``git`` in a process group of its own, which is gone when the block is left, however it is left."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env=dict(environ),
        cwd="/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    assert process.stdout is not None
    while await process.stdout.read(1 << 16):
        pass  # read to the end: a pipe closes only then
    await process.wait()


async def run_git(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    timeout: float,
    stdin: bytes = b"",
    max_output: int = 16 << 20,
) -> bytes:
    """Run git to its end and return what it wrote to standard output.

    Args:
        arguments: Without the program's name.
        environ: The whole environment (:meth:`GitConfiguration.environ`).
        timeout: Seconds.
        stdin: What git reads.
        max_output: Bytes of output; more is an error.

    Raises:
        GitFailedError: Exit status other than 0, or too much output.
        GitTimeoutError: Not done in time; git was killed.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write(stdin)
        source.seek(0)
        try:
            async with (
                asyncio.timeout(timeout),
                git_process(arguments, environ, stdin=source, stderr=errors) as process,
            ):
                output = await _read(process, max_output)
                status = await process.wait()
        except TimeoutError:
            raise GitTimeoutError(f"git took more than {timeout:g} s") from None
        if status:
            raise GitFailedError(read_tail(errors) or f"git ended with status {status}")
    return output


async def _read(process: asyncio.subprocess.Process, limit: int) -> bytes:
    assert process.stdout is not None
    chunks = bytearray()
    while chunk := await process.stdout.read(1 << 16):
        chunks += chunk
        if len(chunks) > limit:
            raise GitFailedError(f"git wrote more than {limit} bytes")
    return bytes(chunks)


def read_tail(errors: IO[bytes]) -> str:
    """Return the last lines that a process wrote into a temporary file."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _ERROR_TAIL))
    return errors.read().decode(errors="replace").strip()
