"""Bridges one ASGI request to a git CGI program: both bodies streamed, the process ended with the request."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from git_env.host.errors import HostError, TooLargeError
from git_env.host.git_process import git_process, read_tail

_CHUNK = 1 << 16
_log = logging.getLogger(__name__)


class ClientGoneError(Exception):
    """The client closed the connection; there is nobody to answer."""


class CgiBridge:
    """Runs one CGI program for one request.

    Args:
        arguments: The git subcommand and its arguments.
        environ: Everything but what is read from the request itself.
        body_limit: Bytes of request body.
        timeout: Seconds for the whole exchange.
    """

    def __init__(
        self, arguments: Sequence[str], environ: Mapping[str, str], *, body_limit: int, timeout: float
    ) -> None:
        self._arguments = arguments
        self._environ = environ
        self._body_limit = body_limit
        self._timeout = timeout
        self._started = False

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request.

        Raises:
            ClientGoneError: The client left; the program was killed.
            HostError: Nothing was answered yet, and this is why.
        """
        environ = dict(self._environ) | _request_variables(scope)
        with tempfile.TemporaryFile() as errors:
            try:
                async with (
                    asyncio.timeout(self._timeout),
                    git_process(
                        self._arguments, environ, stdin=asyncio.subprocess.PIPE, stderr=errors
                    ) as process,
                ):
                    await self._exchange(process, receive, send)
            except TimeoutError:
                self._fail(f"no answer within {self._timeout:g} s")
            except TooLargeError:
                if self._started:  # too late to say so
                    raise ClientGoneError from None
                raise
            except asyncio.IncompleteReadError:
                self._fail(f"git http-backend ended early: {read_tail(errors)}")
            else:
                if message := read_tail(errors):
                    _log.warning("git http-backend: %s", message)

    def _fail(self, reason: str) -> None:
        """Say that the program failed; a reply that has begun is cut off, which git notices."""
        _log.error("%s", reason)
        raise ClientGoneError if self._started else HostError("git failed; see the host's log")

    async def _exchange(self, process: asyncio.subprocess.Process, receive: Receive, send: Send) -> None:
        """Feed and read at once; the end of either the reply or the client ends both."""
        feeder = asyncio.ensure_future(self._feed(process, receive))
        reader = asyncio.ensure_future(self._answer(process, send))
        try:
            await asyncio.wait({feeder, reader}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
            else:
                feeder.result()
        finally:
            feeder.cancel()
            reader.cancel()
            await asyncio.wait({feeder, reader})

    async def _feed(self, process: asyncio.subprocess.Process, receive: Receive) -> None:
        """Pass the request's body on, then wait for the client to leave. Ends only by raising."""
        assert process.stdin is not None
        total, more, readable = 0, True, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            total += len(message.get("body", b""))
            if total > self._body_limit:
                raise TooLargeError("The request is too large.")
            more = message.get("more_body", False)
            if readable:
                try:
                    process.stdin.write(message.get("body", b""))
                    await process.stdin.drain()
                except (BrokenPipeError, ConnectionResetError):
                    readable = False  # it has read enough; its answer tells why
        process.stdin.close()
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ClientGoneError

    async def _answer(self, process: asyncio.subprocess.Process, send: Send) -> None:
        assert process.stdout is not None
        head = await process.stdout.readuntil(b"\r\n\r\n")
        status, headers = _parse_head(head)
        self._started = True
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while chunk := await process.stdout.read(_CHUNK):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _request_variables(scope: Scope) -> dict[str, str]:
    headers = Headers(scope=scope)
    client = scope.get("client")
    found = {
        "REQUEST_METHOD": scope["method"],
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "CONTENT_TYPE": headers.get("content-type"),
        # Absent for a chunked body: then git reads to the end.
        "CONTENT_LENGTH": headers.get("content-length"),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding"),
        "HTTP_GIT_PROTOCOL": headers.get("git-protocol"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _parse_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    status, headers = 200, []
    for line in head.split(b"\r\n"):
        name, separator, value = line.partition(b":")
        if not separator:
            continue
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
    return status, headers
