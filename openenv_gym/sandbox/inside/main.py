"""The warm helper: one per sandbox, serves its owner's requests over a socket until that closes."""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from openenv_gym.sandbox.inside import filters, guard, rlimits, seccomp
from openenv_gym.sandbox.inside.confinement import ConfinementError, confine
from openenv_gym.sandbox.inside.files import read_file, write_file
from openenv_gym.sandbox.inside.frames import FrameError, receive_frame, send_frame
from openenv_gym.sandbox.inside.programs import OwnerGone, Programs

_CONNECTION = 3
_IDLE = 0.001


class _Reply(NamedTuple):
    header: dict[str, Any]
    body: bytes = b""
    descriptors: tuple[int, ...] = ()


def main() -> None:
    """Serve on the socket that came as standard input; returns when the owner is gone."""
    connection = _take_connection()
    first = receive_frame(connection, 0)
    if first is None:
        return
    config = first[0]
    os.umask(0o022)
    if config["guard"]:
        guard.split(config["private"], config["uid"])
    try:
        confine(config)
    except (ConfinementError, OSError) as error:
        send_frame(connection, {"error": str(error)})
        return
    programs = Programs(
        _CONNECTION,
        config["writable"],
        alone=config["alone"],
        sees_processes=config["sees_processes"],
        before_exec=_before_exec(config),
    )
    # Handlers, unlike Python's ignoring of these two, are not inherited by programs.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, lambda *_: None)
    rlimits.apply_common()
    # Each program starts as a copy of this process: fewer pages to copy.
    gc.collect()
    gc.freeze()
    send_frame(connection, {"pid": os.getpid(), "uid": os.getuid()})
    os.dup2(0, 2)
    try:
        _serve(connection, programs, config["max_body"])
    except (OwnerGone, FrameError, ConnectionError):
        pass  # nobody is left to tell
    finally:
        programs.kill_everything()


def _take_connection() -> socket.socket:
    """Move the socket away from standard input, and close everything else that came along."""
    os.dup2(0, _CONNECTION, inheritable=False)
    os.closerange(_CONNECTION + 1, 65536)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return socket.socket(fileno=_CONNECTION)


def _before_exec(config: dict[str, Any]) -> Callable[[], None]:
    """What a program's process does to itself, last before it becomes the program."""
    if config["landlock"] is None:
        return lambda: None
    facts = {
        "shares_user": config["shares_user"],
        "landlock_abi": config["landlock"]["abi"],
        "helper": os.getpid(),
        "helper_group": os.getpgrp(),
    }
    return lambda: seccomp.install(filters.for_program(**facts))


def _serve(connection: socket.socket, programs: Programs, max_body: int) -> None:
    while True:
        wait = programs.check_long_lived()
        # A caller with one request after the other must not wait for the fork.
        if not select.select([connection], [], [], _IDLE)[0]:
            programs.prepare()
        if not select.select([connection], [], [], wait)[0]:
            continue
        frame = receive_frame(connection, max_body)
        if frame is None:
            return
        request, body, descriptors = frame
        try:
            reply = _answer(programs, request, body, descriptors)
        except OSError as error:
            reply = _Reply({"errno": error.errno or errno.EIO, "message": error.strerror or str(error)})
        except (KeyError, TypeError, ValueError) as error:
            reply = _Reply({"error": f"{type(error).__name__}: {error}"})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        send_frame(connection, reply.header, reply.body, reply.descriptors)


def _answer(programs: Programs, request: dict[str, Any], body: bytes, descriptors: list[int]) -> _Reply:
    match request["op"]:
        case "run":
            return _Reply(*programs.run(request, body))
        case "start":
            pid, pidfd = programs.start(request, descriptors)
            return _Reply({"pid": pid}, descriptors=(pidfd,))
        case "poll":
            return _Reply(programs.outcome(request["pid"]))
        case "kill":
            programs.kill(request["pid"])
            return _Reply(programs.outcome(request["pid"]))
        case "read":
            data = read_file(request["root"], request["path"], request["forbidden"], request["max_bytes"])
            return _Reply({}, data)
        case "write":
            write_file(request["root"], request["path"], request["forbidden"], body)
            return _Reply({})
        case unknown:
            raise ValueError(f"unknown operation {unknown!r}")
