"""The main program of a worker process: one environment, served over a socket to the server that spawned it.

Run as ``python -m openenv_gym.server.worker SOCKET_FD ALIVE_FD`` by ``executors/process.py``, never by hand.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from typing import Any

from openenv_gym.server.definition import EnvironmentDefinition, Execution, Recipe
from openenv_gym.server.host import EnvironmentHost
from openenv_gym.server.jobs import HostReply
from openenv_gym.server.lifeline import die_with_owner
from openenv_gym.server.worker_messages import Message, read_job, reply_message
from openenv_gym.wire import pipe
from openenv_gym.wire.messages import ErrorCode, ErrorReply


def main(arguments: list[str]) -> None:
    """Serve one environment until told to close, or until the server is gone."""
    socket_fd, alive_fd = map(int, arguments)
    os.set_inheritable(socket_fd, False)
    die_with_owner(alive_fd)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s [worker %(process)d] %(name)s: %(message)s")
    with socket.socket(fileno=socket_fd) as connection:
        definition = _define(_read(connection))
        if isinstance(definition, ErrorReply):
            _write(connection, definition)
            return
        connection.sendall(pipe.encode(["prepared"]))
        if _read(connection) != ["open"]:  # no session has come, and none will
            return
        if definition.is_async:
            asyncio.run(_serve_async(connection, definition))
        else:
            _serve(connection, definition)


def _define(message: Message | None) -> EnvironmentDefinition | ErrorReply:
    match message:
        case ["prepare", dict() as parts, python_path]:
            recipe = Recipe(**parts)
        case _:
            raise pipe.FrameError(f"expected to prepare an environment, got {str(message)[:200]}")
    # Ours was set so that this process finds the environment; what it starts in turn has no use for it.
    os.environ.pop("PYTHONPATH", None)
    if python_path is not None:
        os.environ["PYTHONPATH"] = python_path
    try:
        return recipe.define(Execution.INLINE)
    except Exception as error:
        logging.exception("%s could not be imported", recipe.name)
        text = f"{recipe.name} could not be imported in a worker: {type(error).__name__}: {error}"
        details = {"type": type(error).__name__, "factory_name": recipe.name}
        return ErrorReply(ErrorCode.FACTORY_ERROR, text, details)


# --- an environment of plain functions -----------------------------------------------------------------


def _serve(connection: socket.socket, definition: EnvironmentDefinition) -> None:
    host = EnvironmentHost(definition, pickles=True)
    failure = host.open()
    _write(connection, failure)
    while failure is None:
        message = _read(connection)
        if message is None or message[0] == "close":
            break
        _write(connection, host.handle(*read_job(message)))
    host.close()


def _read(connection: socket.socket) -> Message | None:
    """Read a message; ``None`` when the server is gone."""
    header = _read_exactly(connection, pipe.HEADER_SIZE)
    if header is None:
        return None
    body = _read_exactly(connection, pipe.body_size(header))
    message: Message | None = None if body is None else pipe.decode(body)
    return message


def _read_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = connection.recv(size, socket.MSG_WAITALL)
    while len(data) < size:  # a signal cut it short, or it is more than the socket's buffer holds
        more = connection.recv(size - len(data), socket.MSG_WAITALL)
        if not more:
            return None
        data += more
    return data


def _write(connection: socket.socket, reply: HostReply | None) -> None:
    connection.sendall(_frame(reply))


# --- an environment of coroutine functions ------------------------------------------------------------


async def _serve_async(connection: socket.socket, definition: EnvironmentDefinition) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    host = EnvironmentHost(definition, pickles=True)
    failure = await host.open_async()
    writer.write(_frame(failure))
    while failure is None:
        message = await _read_async(reader)
        if message is None or message[0] == "close":
            break
        writer.write(_frame(await host.handle_async(*read_job(message))))
        await writer.drain()
    await host.close_async()
    writer.close()
    await writer.wait_closed()


async def _read_async(reader: asyncio.StreamReader) -> Message | None:
    try:
        header = await reader.readexactly(pipe.HEADER_SIZE)
        message: Message = pipe.decode(await reader.readexactly(pipe.body_size(header)))
    except asyncio.IncompleteReadError:
        return None
    return message


def _frame(reply: HostReply | None) -> bytes:
    """Encode a reply, or the word that the environment is open; what cannot be sent becomes an error."""
    message: list[Any] = ["opened"] if reply is None else reply_message(reply)
    try:
        return pipe.encode(message)
    except (TypeError, ValueError) as error:
        logging.exception("a reply could not be encoded")
        text = f"the reply could not be sent: {type(error).__name__}: {error}"
        return pipe.encode(["error", ErrorCode.EXECUTION_ERROR.value, text, {"type": type(error).__name__}])


if __name__ == "__main__":
    main(sys.argv[1:])
