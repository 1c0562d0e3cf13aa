"""The Echo environment under other kinds of execution; apart from the apps, which workers need not load."""

from __future__ import annotations

from echo_env.server.echo_environment import EchoEnvironment


class ThreadEcho(EchoEnvironment):
    """A thread a session."""

    EXECUTION = "thread"


class ProcessEcho(EchoEnvironment):
    """A process a session."""

    EXECUTION = "process"
