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

    @initialize(name=st.sampled_from(SUBPROTOCOLS))
    def begin(self, name: str) -> None:
        self.world = LossyWorld(codec_for(name))
        self.world.connect()

    # --- the user

    def users(self, *states: str) -> list[User]:
        return [user for user in self.world.users.values() if user.state in states]

    @precondition(lambda self: len(self.users("opening", "ready", "waiting")) < 5)
    @rule()
    def open(self) -> None:
        self.world.open()

    @precondition(lambda self: self.users("ready"))
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        self.world.step(data.draw(st.sampled_from(self.users("ready"))))

    @precondition(lambda self: self.users("ready"))
    @rule()
    def step_all(self) -> None:
        for user in self.users("ready"):
            self.world.step(user)

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
        world = self.world
        world.settle()
        self.check_faults()
        # Whoever waits for a slot gets one when the others leave.
        while users := self.users("opening", "ready"):
            for user in users:
                if user.state == "ready":
                    world.step(user)
            world.settle()
            assert not self.users("waiting"), "a call was never answered"
            world.check_transcripts()
            ready = self.users("ready")
            assert ready, "slots are free, yet nobody gets one"
            for user in ready:
                assert user.transcript == world.ran[user.session], "a reply did not arrive"
                world.close(user)
            world.settle()
        assert not self.users("closing"), "a close was never confirmed"
        assert world.client.session_count == 0
        # A session that its client gave up while it had no connection ends with its lease, at the latest.
        for wire in [wire for wire in world.wires if wire.server_holds]:
            world.server_notices(wire)
        world.advance(LEASE)
        while world.jobs:
            world.work(world.jobs[0])
        assert world.server.session_count == 0
        assert world.server.next_wakeup is None


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


_SETTINGS = settings(max_examples=60, stateful_step_count=60, deadline=None)

TestCutsOnly = CutsOnly.TestCase
TestCutsOnly.settings = _SETTINGS
TestCutsAndDeaths = CutsAndDeaths.TestCase
TestCutsAndDeaths.settings = _SETTINGS
TestCutsDeathsAndTime = CutsDeathsAndTime.TestCase
TestCutsDeathsAndTime.settings = _SETTINGS
