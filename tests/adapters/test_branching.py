"""Snapshots and forks of environments, bare and in wrappers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import pytest

import openenv_gym
from openenv_gym import RemoteEnv
from openenv_gym.errors import ClosedError, NotResetError, NotSupportedError, SnapshotLostError, UsageError
from openenv_gym.providers import Endpoint, Provider, ServerSpec
from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import Gambler, Heard, InlineGambler, Say
from tests.server.talk import active, wait_until_empty
from tests.servers import LiveServer

SAY = {"message": "hi"}


@pytest.fixture(scope="module")
def gambler_server() -> Iterator[LiveServer]:
    settings = ServerSettings(max_snapshots=3)
    server = LiveServer(create_app(InlineGambler, Say, Heard, settings=settings)).start()
    yield server
    server.stop()


@pytest.fixture
def gambler(gambler_server: LiveServer) -> Iterator[LiveServer]:
    yield gambler_server
    wait_until_empty(gambler_server)


def play(env: gymnasium.Env[Any, Any], count: int = 3) -> list[Any]:
    """Some steps, and the first observation of an episode whose seed nobody gives."""
    steps = [env.step(SAY) for _ in range(count)]
    env.reset()
    return [*steps, env.step(SAY)]


def test_the_next_step_continues_from_the_snapshot(gambler: LiveServer) -> None:
    with RemoteEnv(gambler.base_url) as env:
        with pytest.raises(NotResetError):
            env.snapshot()
        env.reset(seed=3)
        env.step(SAY)
        snapshot = env.snapshot()
        first = play(env)
        env.restore(snapshot)
        assert play(env) == first
        twin = env.fork(snapshot)
        assert play(twin) == first
        assert play(env) != first
        env.close()
        twin.restore(own := twin.snapshot())
        third = twin.fork(own)
        assert play(third) == play(twin)
        for fork in (twin, third):
            fork.close()
        for call in (twin.snapshot, twin.fork, lambda: twin.restore(own)):
            with pytest.raises(ClosedError):
                call()


def test_a_fork_shares_nothing_that_changes(gambler: LiveServer) -> None:
    with RemoteEnv(gambler.base_url) as env:
        env.reset(seed=3)
        env.action_space.seed(1)
        with env.fork() as twin:
            assert twin.action_space == env.action_space
            samples = [env.action_space.sample() for _ in range(3)]
            assert [twin.action_space.sample() for _ in range(3)] == samples
            assert twin.np_random is not env.np_random
            assert active(gambler) == 2
        assert env.step(SAY)[1] == 2.0


def test_a_dropped_snapshot_is_said_and_the_episode_goes_on(gambler: LiveServer) -> None:
    with RemoteEnv(gambler.base_url) as env:
        env.reset(seed=3)
        snapshots = [env.snapshot() for _ in range(4)]
        with pytest.raises(SnapshotLostError, match="keeps the 3"):
            env.restore(snapshots[0])
        with pytest.raises(SnapshotLostError):
            env.fork(snapshots[0])
        env.restore(snapshots[1])
        env.step(SAY)
        assert env.state()["step_count"] == 1


def test_openenv_s_dialect_has_none(gambler: LiveServer) -> None:
    with RemoteEnv(gambler.base_url, dialect="openenv") as env:
        env.reset(seed=3)
        with pytest.raises(NotSupportedError, match=r"needs openenv-gym\.v1"):
            env.fork()
        env.step(SAY)


class Hired(Provider):
    """A provider whose server runs already; says how often it was stopped."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.stopped = 0

    def start(self, spec: ServerSpec) -> Endpoint:
        return Endpoint(self.server.base_url)

    def stop(self) -> None:
        self.stopped += 1

    def logs(self) -> str:
        return ""


def test_the_server_stops_with_the_last_of_them(gambler: LiveServer) -> None:
    hired = Hired(gambler)
    env = RemoteEnv(provider=hired, server="nobody.asks:app")
    env.reset(seed=3)
    twin = env.fork()
    third = twin.fork()
    env.close()
    env.close()
    third.close()
    assert (hired.stopped, twin.step(SAY)[1]) == (0, 2.0)
    twin.close()
    assert hired.stopped == 1


def test_an_embedded_server_outlives_the_environment_that_was_forked() -> None:
    env = gymnasium.make("openenv/Echo-v0")
    env.reset(seed=1)
    twin = openenv_gym.fork(env)
    env.close()
    assert twin.step(SAY)[0]["echoed_message"] == "hi"
    twin.close()


# --- wrappers ------------------------------------------------------------------------------------------


class Diary(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Remembers its rewards, and itself."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.rewards: list[float] = []
        self.itself = self

    def step(self, action: Any) -> Any:
        result = super().step(action)
        self.rewards.append(float(result[1]))
        return result


def make(server: LiveServer, limit: int = 4) -> Diary:
    return Diary(gymnasium.make("openenv/Remote-v0", base_url=server.base_url, max_episode_steps=limit))


def truncations(env: gymnasium.Env[Any, Any], count: int) -> list[bool]:
    return [bool(env.step(SAY)[3]) for _ in range(count)]


def test_the_time_limit_follows(gambler: LiveServer) -> None:
    env = make(gambler)
    env.reset(seed=3)
    env.step(SAY)
    snapshot = openenv_gym.snapshot(env)
    assert truncations(env, 3) == [False, False, True]
    for _ in range(2):
        openenv_gym.restore(env, snapshot)
        assert env.rewards == [2.0]
        assert truncations(env, 3) == [False, False, True]
    twin = openenv_gym.fork(env, snapshot)
    assert isinstance(twin, Diary)
    assert twin.itself is twin
    assert twin.unwrapped is not env.unwrapped
    assert truncations(twin, 2) == [False, False]
    assert (twin.rewards, env.rewards) == ([2.0] * 3, [2.0] * 4)
    third = openenv_gym.fork(twin)
    assert truncations(third, 1) == [True]
    openenv_gym.restore(third, openenv_gym.snapshot(third))
    for one in (env, twin, third):
        one.close()


def test_a_bare_environment_and_a_stranger(gambler: LiveServer) -> None:
    with RemoteEnv(gambler.base_url) as env, make(gambler) as wrapped:
        env.reset(seed=3)
        snapshot = openenv_gym.snapshot(env)
        first = env.step(SAY)
        openenv_gym.restore(env, snapshot)
        assert env.step(SAY) == first
        with openenv_gym.fork(env, snapshot) as twin:
            assert twin.step(SAY) == first
        with pytest.raises(UsageError, match="cannot be restored in <Diary"):
            openenv_gym.restore(wrapped, snapshot)
    with gymnasium.make("CartPole-v1") as other:
        for call in (openenv_gym.snapshot, openenv_gym.fork):
            with pytest.raises(NotSupportedError, match="CartPole"):
                call(other)


def test_a_fork_whose_wrappers_cannot_be_copied_leaves_no_session(
    gambler: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make(gambler)
    env.reset(seed=3)
    snapshot = openenv_gym.snapshot(env)

    def refuse(self: Any, memo: Any) -> None:
        raise TypeError("not to be copied")

    monkeypatch.setattr(Diary, "__deepcopy__", refuse, raising=False)
    with pytest.raises(TypeError, match="not to be copied"):
        openenv_gym.fork(env, snapshot)
    assert active(gambler) == 1
    env.close()


def test_threads_fork_too(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_app(Gambler, Say, Heard))
    with RemoteEnv(server.base_url) as env:
        env.reset(seed=3)
        twins = [env.fork(snapshot) for snapshot in [env.snapshot()] * 3]
        assert len({repr(one.step(SAY)) for one in (env, *twins)}) == 1
        for twin in twins:
            twin.close()
    assert active(server) == 0
