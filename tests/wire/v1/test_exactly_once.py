"""Both machines on a network that misbehaves, walked at random by hypothesis."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from openenv_gym.wire.v1.codecs import SUBPROTOCOLS, codec_for
from openenv_gym.wire.v1.server_effects import Effect
from tests.wire.v1.lossy_world import LEASE, PATIENCE, LossyWorld, User, Wire


class CutsOnly(RuleBasedStateMachine):
    """While the server lives and leases last, nothing is lost and nobody learns of any fault."""

    world: LossyWorld

    @initialize(name=st.sampled_from(SUBPROTOCOLS), sessions=st.integers(0, 4), vanishes=st.booleans())
    def begin(self, name: str, sessions: int, vanishes: bool) -> None:
        self.vanishes = vanishes
        self.world = LossyWorld(codec_for(name))
        for _ in range(sessions):
            self.world.open()
        self.world.settle()
        for user in self.users("ready"):  # few walks would ever fork what they have to snapshot before
            self.world.snapshot(user)
        self.world.settle()

    # --- the user

    def users(self, *states: str) -> list[User]:
        return [user for user in self.world.users.values() if user.state in states]

    @precondition(lambda self: len(self.users("opening", "ready", "waiting")) < 5)
    @rule()
    def open(self) -> None:
        self.world.open()

    @precondition(lambda self: self.users("ready"))
    @rule(most=st.integers(1, 5))
    def step(self, most: int) -> None:
        for user in self.users("ready")[:most]:
            self.world.step(user)

    @precondition(lambda self: self.users("ready"))
    @rule(data=st.data())
    def snapshot(self, data: st.DataObject) -> None:
        self.world.snapshot(data.draw(st.sampled_from(self.users("ready"))))

    def parents(self) -> list[User]:
        return [user for user in self.users("ready", "waiting") if user.snapshots]

    @precondition(lambda self: self.parents() and len(self.users("opening", "ready", "waiting")) < 5)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(self.parents()))
        self.world.fork(parent, data.draw(st.sampled_from(sorted(parent.snapshots))))

    @precondition(lambda self: self.users("opening", "ready", "waiting"))
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.world.close(data.draw(st.sampled_from(self.users("opening", "ready", "waiting"))))

    # --- the network

    def to_server(self) -> list[Wire]:
        return [wire for wire in self.world.wires if wire.to_server and wire.server_holds]

    @precondition(lambda self: self.to_server())
    @rule(data=st.data(), twice=st.booleans())
    def deliver_to_server(self, data: st.DataObject, twice: bool) -> None:
        self.world.deliver_to_server(data.draw(st.sampled_from(self.to_server())), twice=twice)

    @precondition(lambda self: self.world.wire is not None and self.world.wire.to_client)
    @rule(twice=st.booleans())
    def deliver_to_client(self, twice: bool) -> None:
        self.world.deliver_to_client(twice=twice)

    @precondition(lambda self: self.world.wire is not None)
    @rule(lost=st.integers(0, 3))
    def cut(self, lost: int) -> None:
        self.world.cut(lost=lost)

    @precondition(lambda self: self.world.wire is None)
    @rule()
    def connect(self) -> None:
        self.world.connect()

    @precondition(lambda self: any(wire.server_holds for wire in self.world.wires))
    @rule(data=st.data())
    def server_notices(self, data: st.DataObject) -> None:
        held = [wire for wire in self.world.wires if wire.server_holds]
        self.world.server_notices(data.draw(st.sampled_from(held)))

    @rule(moves=st.lists(st.integers(0, 2), min_size=1, max_size=8))
    def flow(self, moves: list[int]) -> None:
        """Some things go well in a row; without this few walks would get far."""
        for move in moves:
            if move == 0 and self.to_server():
                self.world.deliver_to_server(self.to_server()[-1])
            elif move == 1 and self.world.wire is not None and self.world.wire.to_client:
                self.world.deliver_to_client()
            elif move == 2 and self.world.jobs:
                self.world.work(self.world.jobs[0])

    # --- the server

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        jobs: list[Effect] = self.world.jobs
        self.world.work(jobs[data.draw(st.integers(0, len(jobs) - 1))])

    # --- what must hold

    @invariant()
    def transcripts_are_right(self) -> None:
        if hasattr(self, "world"):
            self.world.check_transcripts()
            assert self.world.server.session_count <= self.world.capacity

    def check_faults(self) -> None:
        assert not self.users("gone")

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.settle()
        self.check_faults()
        if self.vanishes:
            self.client_vanishes()
        else:
            self.everybody_finishes()
        assert self.world.server.session_count == 0
        assert self.world.server.next_wakeup is None

    def everybody_finishes(self) -> None:
        """Each session makes a step and is closed; whoever waits for a slot gets one when others leave."""
        world = self.world
        while self.users("opening", "ready"):
            for user in self.users("ready"):
                world.step(user)
            world.settle()
            assert not self.users("waiting"), "a call was never answered"
            world.check_transcripts()
            ready = self.users("ready")
            assert ready or not self.users("opening"), "slots are free, yet nobody gets one"
            for user in ready:
                assert user.transcript == world.ran[user.session], "a reply did not arrive"
                world.close(user)
            world.settle()
        assert not self.users("closing"), "a close was never confirmed"
        assert world.client.session_count == 0

    def client_vanishes(self) -> None:
        """Nobody says goodbye: leases free the slots."""
        for wire in [wire for wire in self.world.wires if wire.server_holds]:
            self.world.server_notices(wire)
        self.world.advance(LEASE)
        while self.world.jobs:
            self.world.work(self.world.jobs[0])


class CutsAndDeaths(CutsOnly):
    """When servers die, each session of theirs ends in exactly one fault."""

    @rule()
    def kill_server(self) -> None:
        self.world.kill_server()

    def check_faults(self) -> None:
        for user in self.users("gone"):
            assert "server restarted" in str(user.faults[0].cause)


class CutsDeathsAndTime(CutsAndDeaths):
    """With time, leases and deadlines run out as well: still one fault a session, and nothing leaks."""

    @rule(seconds=st.sampled_from([0.1, 5.0, LEASE / 2, LEASE + PATIENCE]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    def check_faults(self) -> None:
        """`LossyWorld.tell` has checked each fault against its cause."""


_SETTINGS = settings(max_examples=80, stateful_step_count=50, deadline=None)

TestCutsOnly = CutsOnly.TestCase
TestCutsOnly.settings = _SETTINGS
TestCutsAndDeaths = CutsAndDeaths.TestCase
TestCutsAndDeaths.settings = _SETTINGS
TestCutsDeathsAndTime = CutsDeathsAndTime.TestCase
TestCutsDeathsAndTime.settings = _SETTINGS
