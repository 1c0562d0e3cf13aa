"""A small server of openenv-gym.v1 over memory transports, made of the protocol's own machine.

Actions: ``{"say": text}`` echoes; ``{"do": "hang"}`` runs until its deadline; ``{"do": "sleep", "seconds":
s}`` takes that long; ``{"do": "error", "code": c, "details": {...}}`` fails so; ``{"do": "break"}`` answers
with what is no frame.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from openenv_gym.errors import ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.interface import ConnectionClosed, Transport
from openenv_gym.transport.memory import memory_pair
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    Outcome,
    Reason,
    Reply,
    RestoredReply,
    SnapshotReply,
    StateReply,
)
from openenv_gym.wire.v1.codecs import choose_subprotocol, codec_for
from openenv_gym.wire.v1.server_effects import CloseSession, OpenSession, RunCall
from openenv_gym.wire.v1.server_machine import ServerMachine
from openenv_gym.wire.v1.server_terms import ServerTerms
from tests.client.dialect_server import DialectServer, _MemoryPeer

_instances = itertools.count()


class MemoryDialled:
    """The client's end, with what was agreed."""

    def __init__(self, transport: Transport, subprotocol: str | None) -> None:
        self.send = transport.send
        self.forward = transport.forward
        self.close = transport.close
        self.abort = transport.abort
        self._transport = transport
        self.subprotocol = subprotocol

    @property
    def progress(self) -> int:
        return self._transport.progress


class MachineServer:
    """Many sessions on every connection.

    Attributes:
        ran: How often each thing was said, over all lives of the server.
        opened: Environments constructed so far.
        live: Environments now.
        frames: Frames received so far.
        connections: Connections accepted so far.
        stalled: Connections carry nothing, either way.
        babbles: Connections carry nonsense after the greeting.
    """

    def __init__(self, *, capacity: int = 1000, speaks: Sequence[str] | None = None, **terms: Any) -> None:
        self._capacity = capacity
        self._terms = terms
        self._speaks = speaks
        self.ran: Counter[str] = Counter()
        self.opened = self.frames = self.connections = 0
        self.stalled = self.babbles = False
        self._silenced: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[int, Transport] = {}
        self.start()

    def start(self) -> None:
        """Begin a life without any session."""
        self._steps: dict[str, int] = {}
        self._snapshots: dict[tuple[str, str | None], int] = {}  # steps by session and handle
        self._timers: dict[str, asyncio.TimerHandle] = {}
        terms = ServerTerms(f"instance-{next(_instances)}", self._capacity, **self._terms)
        self.machine = ServerMachine(terms)

    @property
    def live(self) -> int:
        return len(self._steps)

    async def accept(self, transport: Transport, offered: Sequence[str]) -> str | None:
        subprotocol = choose_subprotocol([one for one in offered if not self._speaks or one in self._speaks])
        assert subprotocol is not None
        self.connections += 1
        number = self.machine.connect(codec_for(subprotocol))
        self._ends[number] = transport
        task = asyncio.create_task(self._serve(self.machine, number, transport))
        self._tasks.add(task)
        if self.babbles:
            asyncio.get_running_loop().call_soon(transport.send, b"\xc1")
        task.add_done_callback(self._tasks.discard)
        return subprotocol

    async def cut(self, code: int = 1006) -> None:
        """End every connection; without a close frame, unless a code is given."""
        for transport in list(self._ends.values()):
            await transport.close(code)
        await asyncio.sleep(0)

    def silence(self) -> None:
        """Let the connections of now carry nothing any more, either way, and nobody notice."""
        self._silenced |= self._ends.keys()

    async def restart(self) -> None:
        """Die and come back without any session."""
        await self.cut()
        await asyncio.sleep(0)
        for timer in self._timers.values():
            timer.cancel()
        self.start()

    async def _serve(self, machine: ServerMachine, number: int, transport: Transport) -> None:
        try:
            self._turn()
            while True:
                frame = await transport.recv()
                if number in self._silenced:
                    continue
                self.frames += 1
                machine.receive(self._now(), number, frame)
                self._turn()
        except ConnectionClosed:
            self._ends.pop(number, None)
            machine.disconnect(self._now(), number)
            self._set_timer()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _turn(self) -> None:
        machine = self.machine
        while effects := machine.take_effects():
            for effect in effects:
                match effect:
                    case OpenSession(session, _, parent, snapshot):
                        self.opened += 1
                        self._steps[session] = self._snapshots[parent, snapshot] if parent else -1
                        machine.opened(session)
                    case CloseSession(session):
                        self._steps.pop(session, None)
                        if (timer := self._timers.pop(session, None)) is not None:
                            timer.cancel()
                        machine.closed(self._now(), session)
                    case RunCall():
                        self._run(effect)
        for number in machine.take_writable():
            while (transport := self._ends.get(number)) and (frame := machine.next_frame(number)) is not None:
                if not self.stalled and number not in self._silenced:
                    transport.send(frame)
        self._set_timer()

    def _set_timer(self) -> None:
        if (wakeup := self.machine.next_wakeup) is not None:
            asyncio.get_running_loop().call_at(wakeup, self._wake, self.machine)

    def _wake(self, machine: ServerMachine) -> None:
        if machine is self.machine and (due := machine.next_wakeup) is not None and due <= self._now():
            machine.wake(self._now())
            self._turn()

    def _run(self, call: RunCall) -> None:
        self.ran[str(call.payload.get("say", call.call))] += 1
        order = call.payload.get("do")
        loop = asyncio.get_running_loop()
        if order == "break":
            for transport in self._ends.values():
                transport.send(b"\xc1")
        elif order == "hang":
            late = ErrorReply(ErrorCode.EXECUTION_ERROR, "too slow", {"reason": Reason.DEADLINE.value})
            self._timers[call.session] = loop.call_later(call.timeout, self._finish, call.session, late)
        elif order == "sleep":
            reply = self._reply(call)
            seconds = call.payload["seconds"]
            self._timers[call.session] = loop.call_later(seconds, self._finish, call.session, reply)
        else:
            self.machine.finished(call.session, self._reply(call))

    def _finish(self, session: str, reply: Reply) -> None:
        del self._timers[session]
        self.machine.finished(session, reply)
        self._turn()

    def _reply(self, call: RunCall) -> Reply:
        payload = call.payload
        if call.call == "snapshot":
            handle = f"handle-{len(self._snapshots)}"
            self._snapshots[call.session, handle] = self._steps[call.session]
            return SnapshotReply(handle)
        if call.call == "restore":
            self._steps[call.session] = self._snapshots[call.session, payload["snapshot"]]
            return RestoredReply()
        if payload.get("do") == "error":
            return ErrorReply(payload["code"], "as ordered", payload.get("details", {}))
        if call.call == "state":
            return StateReply({"step_count": self._steps[call.session]})
        if call.call == "reset":
            self._steps[call.session] = 0
            return Outcome({"said": "", "steps": 0})
        self._steps[call.session] += 1
        return Outcome({"said": payload.get("say", ""), "steps": self._steps[call.session]}, 1.0)


class MemoryDial:
    """Dials servers by the ``base_url`` they are registered under.

    Attributes:
        servers: `MachineServer` objects, or `DialectServer` objects, which agree to no subprotocol.
        dialled: The offers of every attempt.
        latest: The client's end of the latest connection to a `MachineServer`.
    """

    def __init__(self, **servers: MachineServer | DialectServer) -> None:
        self.servers = servers
        self.dialled: list[tuple[str, ...]] = []
        self.latest: MemoryDialled
        self._serving: set[asyncio.Task[None]] = set()

    async def __call__(
        self, endpoint: Endpoint, subprotocols: Sequence[str], timeout: float | None
    ) -> MemoryDialled:
        self.dialled.append(tuple(subprotocols))
        await asyncio.sleep(0.001)
        server = self.servers.get(endpoint.base_url)
        if server is None:
            raise ServerUnreachableError(f"nobody at {endpoint.base_url}")
        ours, theirs = memory_pair()
        if isinstance(server, MachineServer) and subprotocols:
            self.latest = MemoryDialled(ours, await server.accept(theirs, subprotocols))
            return self.latest
        assert isinstance(server, DialectServer)
        task = asyncio.create_task(server.serve(_MemoryPeer(theirs)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return MemoryDialled(ours, None)
