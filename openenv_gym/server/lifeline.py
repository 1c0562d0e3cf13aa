"""Ends a process with its owner, by the kernel's hand."""

from __future__ import annotations

import fcntl
import os
import select
import signal


def die_with_owner(alive_fd: int) -> None:
    """Have the kernel kill this process group when the other end of a pipe closes.

    A thread that waits for that would need the interpreter's lock, which native code may hold for ever; and
    ``PR_SET_PDEATHSIG`` fires when the parent's *thread* ends.

    Args:
        alive_fd: The pipe's read end, which no other process has.
    """
    os.set_inheritable(alive_fd, False)
    fcntl.fcntl(alive_fd, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(alive_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(alive_fd, fcntl.F_SETFL, fcntl.fcntl(alive_fd, fcntl.F_GETFL) | os.O_ASYNC)
    watch = select.poll()
    watch.register(alive_fd, 0)  # hang-up is always reported
    if watch.poll(0):
        os.killpg(os.getpgrp(), signal.SIGKILL)  # the owner was gone before the kernel could watch it
