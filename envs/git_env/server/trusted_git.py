"""TrustedGit: git outside the sandbox, for mirrors and fresh checkouts only.

It never runs in a directory that an agent could have written to. Credentials reach it through the
environment of that one process: not on its command line, not in a file, not in a remote's URL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from git_env.network import is_loopback, network_environ
from git_env.server.hardening import DEFAULTS, ENFORCED, as_environ, as_file, base_environ

_ERROR_TAIL = 2_000


class TrustedGitError(Exception):
    """Git failed; the text is the end of what it wrote, without credentials."""


class HostAccess:
    """Lets one git process talk to one host.

    Args:
        url: The host's address; the credentials go to addresses below it only.
        username: "" for anonymous access.
        password: Password or token.
    """

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        self._secrets = [password] if password else []
        self._proxies = not is_loopback(url)
        self._settings = [
            ("protocol.allow", "never"),
            ("protocol.http.allow", "always"),
            ("protocol.https.allow", "always"),
            # A redirect could carry the credentials to another host.
            ("http.followRedirects", "false"),
            # One pack a fetch instead of many loose files: borrowed objects are found faster.
            ("fetch.unpackLimit", "1"),
        ]
        if username:
            token = b64encode(f"{username}:{password}".encode()).decode()
            self._secrets.append(token)
            self._settings.append((f"http.{url}/.extraHeader", f"Authorization: Basic {token}"))

    def environ(self) -> dict[str, str]:
        """What to add to the environment of the process that fetches or pushes."""
        settings = as_environ((*ENFORCED, *self._settings))
        return {**network_environ(proxies=self._proxies), **settings, "GIT_ALLOW_PROTOCOL": "http:https"}

    def scrub(self, text: str) -> str:
        """``text`` without the credentials."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class TrustedGit:
    """Runs git with no configuration but ours. Thread-safe.

    Args:
        home: Directory for the configuration file; created. What lies beside it is the server's own, and its
            path is left out of errors.
    """

    def __init__(self, home: Path) -> None:
        self._private = str(home.parent)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.config_file = home / "gitconfig"
        self.config_file.write_text(as_file((*DEFAULTS, *ENFORCED)), encoding="utf-8")
        self._environ = {**base_environ(str(self.config_file)), **as_environ(ENFORCED)}

    def run(
        self,
        arguments: Sequence[str],
        *,
        git_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
        access: HostAccess | None = None,
        timeout: float = 600.0,
        umask: int = -1,
    ) -> str:
        """Run one git command and return its standard output.

        Args:
            arguments: Without the program's name.
            git_dir: The repository, named explicitly; none is ever searched for.
            environ: Additions to the environment.
            access: Permission to talk to a host.
            timeout: Seconds.
            umask: For the files it creates; -1 for this process's.

        Raises:
            TrustedGitError: It failed, or took too long.
        """
        merged = {**self._environ, **(environ or {}), **(access.environ() if access else {})}
        if git_dir is not None:
            merged["GIT_DIR"] = str(git_dir)
        code, output, errors = self._communicate(["git", *arguments], merged, timeout, umask)
        if code:
            text = errors.decode(errors="replace").strip()[-_ERROR_TAIL:].replace(self._private, "")
            text = text or f"git {arguments[0]} ended with {code}"
            raise TrustedGitError(access.scrub(text) if access else text)
        return output.decode(errors="surrogateescape")

    @contextmanager
    def popen(self, arguments: Sequence[str], *, git_dir: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """Have one git command run for the length of a ``with`` block, to be spoken to over pipes.

        Args:
            arguments: Without the program's name.
            git_dir: The repository.

        Yields:
            Its standard input and output.

        Raises:
            TrustedGitError: It cannot be started.
        """
        environ = {**self._environ, "GIT_DIR": str(git_dir)}
        process = self._start(["git", *arguments], environ, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdin is not None and process.stdout is not None
        try:
            with process:
                try:
                    yield process.stdin, process.stdout
                finally:
                    _kill(process)
        finally:
            with self._lock:
                self._running.discard(process)

    def close(self) -> None:
        """Kill what runs; from now on nothing can be started."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill(process)

    def _communicate(
        self, argv: list[str], environ: dict[str, str], timeout: float, umask: int
    ) -> tuple[int, bytes, bytes]:
        process = self._start(argv, environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, umask=umask)
        try:
            with process:
                try:
                    output, errors = process.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    _kill(process)
                    raise TrustedGitError(f"git {argv[1]} took more than {timeout:g} s") from None
            return process.returncode, output, errors
        finally:
            with self._lock:
                self._running.discard(process)

    def _start(
        self, argv: list[str], environ: dict[str, str], *, stdin: int, stderr: int, umask: int = -1
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise TrustedGitError("the server is shutting down")
            try:
                process = subprocess.Popen(
                    argv,
                    env=environ,
                    cwd="/",
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    start_new_session=True,
                    umask=umask,
                )
            except FileNotFoundError:
                raise TrustedGitError("git is not installed; on Debian: apt-get install git") from None
            self._running.add(process)
            return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill git with the processes it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
