"""The kernel's process: ipykernel without sockets, its messages relayed over standard input and output.

Run inside the sandbox as ``python main.py FOLDER_OF_PACKAGES``. The first line on standard input is the key
that messages are signed with. Sandboxes without a network namespace let no program make sockets, so the
kernel's are ZeroMQ's in-process ones, and one thread carries their messages to the server and back.
"""

import logging
import os
import signal
import sys

sys.path.append(sys.argv[1])  # after the standard library, whose names it must not take

import threading
from typing import Any, ClassVar

import zmq
from frames import Channel, FrameReader, encode
from ipykernel.iostream import IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from namespace import Namespace
from traitlets.config import Config

sys.path.pop(0)  # this folder: its names are not the user's to import

_PORTS = {Channel.SHELL: 1, Channel.CONTROL: 2, Channel.IOPUB: 3}
_STDIN_PORT = 4
_UNLIMITED = 0  # else ZeroMQ drops messages of a cell that prints faster than the server reads
_READ = 1 << 16
_MAX_BYTES = 1 << 30  # the server is trusted


class ReplKernel(IPythonKernel):
    """A kernel that reports the namespace with each cell's reply."""

    msg_types: ClassVar[list[str]] = [*IPythonKernel.msg_types, "prepare_request", "lookup_request"]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._namespace = Namespace(self.shell)
        # For `!command`: the other way wants a terminal, which sandboxes do not all have.
        self.shell.system = self.shell.system_raw

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: Any = None,
        allow_stdin: bool = False,
        *,
        cell_meta: Any = None,
        cell_id: Any = None,
    ) -> Any:
        """Run a cell; the reply's ``namespace`` says what it changed."""
        reply = await super().do_execute(
            code,
            silent,
            store_history,
            user_expressions,
            allow_stdin,
            cell_meta=cell_meta,
            cell_id=cell_id,
        )
        reply["namespace"] = self._namespace.report()
        return reply

    async def prepare_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Handle ``{"context": text or null, "seed": number or null}``."""
        self._namespace.prepare(**parent["content"])
        self.session.send(stream, "prepare_reply", {"namespace": self._namespace.report()}, parent, ident)

    async def lookup_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Handle ``{"name": text}``: a variable as text."""
        text = self._namespace.text(parent["content"]["name"])
        self.session.send(stream, "lookup_reply", {"text": text}, parent, ident)

    def _send_interrupt_children(self) -> None:
        # The base class signals its process group, which some sandboxes refuse.
        os.kill(os.getpid(), signal.SIGINT)


class ReplKernelApp(IPKernelApp):
    """ipykernel's application on in-process sockets.

    Args:
        messages_in: Where the server's messages come from.
        messages_out: Where the kernel's go.
    """

    def __init__(self, messages_in: int, messages_out: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pipes = messages_in, messages_out
        self.shell_port, self.control_port, self.iopub_port = _PORTS.values()
        self.stdin_port = _STDIN_PORT

    def init_connection_file(self) -> None:
        """Nobody else connects."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """Nobody else connects."""

    def init_heartbeat(self) -> None:
        """The pipe's end says that a side is gone."""

    def _try_bind_socket(self, s: Any, port: int) -> int:
        s.sndhwm = s.rcvhwm = _UNLIMITED
        s.bind(f"inproc://{port}")
        return port

    def init_iopub(self, context: Any) -> None:
        """Make the channel of outputs without the base class's TCP socket, which serves forked Pythons."""
        socket = context.socket(zmq.XPUB)
        self._try_bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = IOPubThread(socket, pipe=False, session=self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_sockets(self) -> None:
        """Make the kernel's sockets, and what relays their messages."""
        super().init_sockets()
        arguments = (self.context, *self._pipes)
        threading.Thread(target=_relay_or_die, args=arguments, daemon=True, name="relay").start()


def _relay_or_die(context: zmq.Context[Any], messages_in: int, messages_out: int) -> None:
    try:
        _relay(context, messages_in, messages_out)
    finally:
        os._exit(1)  # nobody hears a kernel without a relay


def _relay(context: zmq.Context[Any], messages_in: int, messages_out: int) -> None:
    """Carry messages until the server is gone; then end the process, whatever the cell is doing."""
    kinds = {Channel.SHELL: zmq.DEALER, Channel.CONTROL: zmq.DEALER, Channel.IOPUB: zmq.SUB}
    sockets = {channel: context.socket(kind) for channel, kind in kinds.items()}
    poller = zmq.Poller()
    poller.register(messages_in, zmq.POLLIN)
    for channel, socket in sockets.items():
        socket.sndhwm = socket.rcvhwm = _UNLIMITED
        socket.connect(f"inproc://{_PORTS[channel]}")
        poller.register(socket, zmq.POLLIN)
    sockets[Channel.IOPUB].subscribe(b"")
    reader = FrameReader(_MAX_BYTES)
    while True:
        ready = dict(poller.poll())
        for channel, socket in sockets.items():
            if socket in ready:
                _write(messages_out, encode(channel, socket.recv_multipart()))
        if messages_in in ready:
            data = os.read(messages_in, _READ)
            if not data:
                os._exit(0)
            for channel, parts in reader.feed(data):
                sockets[channel].send_multipart(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line.strip()


def main() -> None:
    """Take the pipes for messages alone, and be a kernel."""
    messages_in, messages_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    config = Config()
    config.Session.key = _read_line(messages_in)
    config.InteractiveShell.colors = "nocolor"
    config.HistoryManager.enabled = False
    config.IPKernelApp.kernel_class = ReplKernel
    config.IPKernelApp.quiet = True
    config.IPKernelApp.transport = "ipc"  # as far as the application is told; it warns of others
    config.IPKernelApp.log_level = logging.CRITICAL
    app = ReplKernelApp(messages_in, messages_out, config=config)
    app.initialize([])
    app.start()


if __name__ == "__main__":
    main()
