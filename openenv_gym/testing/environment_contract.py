"""What every environment promises, as tests: subclass `EnvironmentContract` and pytest runs them."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from jsonschema import Draft202012Validator

from openenv_gym.client.dialects import Dialect
from openenv_gym.client.env_client import EnvClient
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.schemas import fetch_schema
from openenv_gym.client.sync_client import SyncEnvClient
from openenv_gym.errors import EnvError
from openenv_gym.models import Action
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.server.environment import Environment
from openenv_gym.testing import process_tree
from openenv_gym.testing.deployment import Deployment
from openenv_gym.testing.episodes import LocalPlayer, Moment, RemotePlayer, first_difference, moments, play

_DIALECTS: tuple[Dialect, ...] = ("openenv", "v1")
_START_SECONDS = 120.0  # a machine that runs tests may be busy with others
_SESSIONS = 3  # at most two at a time are used: a slot that is not freed is soon missed

both_dialects = pytest.mark.parametrize("dialect", _DIALECTS)


class EnvironmentContract(ABC):
    """The tests of one environment, on its real server in a process of its own::

        class TestEcho(EnvironmentContract):
            environment = EchoEnvironment
            client = EchoEnv
            gymnasium_id = "openenv/Echo-v0"

            def act(self, observation, rng):
                return EchoAction(message=rng.choice(["hello", "hullo"]))

    Attributes:
        environment: Makes the environment in this process, to compare with.
        client: Its typed client, whose ``server_app`` is what the server runs.
        gymnasium_id: Its id, for gymnasium's own checker; ``None`` where it has none.
        environ: Environment variables that configure it.
        reset_options: For every reset.
        bad_actions: Actions' fields that must be refused, besides an unknown field. What the environment
            answers in-band (an illegal move, a failing command) is none.
        ignore: Fields of observations that may differ between equal episodes, as dotted paths.
        steps: How long an episode is played.
        make_options: For ``gymnasium.make`` in gymnasium's checker.
        settling_seconds: How long the server may take to free what closed sessions held.
    """

    environment: ClassVar[Any]
    client: ClassVar[type[EnvClient[Any, Any, Any]]]
    gymnasium_id: ClassVar[str | None] = None
    environ: ClassVar[Mapping[str, str]] = {}
    reset_options: ClassVar[Mapping[str, Any]] = {}
    bad_actions: ClassVar[Sequence[Mapping[str, Any]]] = ()
    ignore: ClassVar[frozenset[str]] = frozenset()
    steps: ClassVar[int] = 6
    make_options: ClassVar[Mapping[str, Any]] = {}
    settling_seconds: ClassVar[float] = 30.0

    @abstractmethod
    def act(self, observation: dict[str, Any], rng: random.Random) -> Action:
        """Choose a valid action: a function of the observation's fields and the generator alone."""

    # --- the server and its sessions -------------------------------------------------------------------

    @classmethod
    def spec(cls, **environ: str) -> ServerSpec:
        """Describe the server: of few sessions, and configured as the class says."""
        app = cls.client.server_app
        assert app is not None, f"{cls.client.__name__} names no server_app"
        settings = {"MAX_CONCURRENT_ENVS": str(_SESSIONS), **environ, **cls.environ}
        return ServerSpec(app=app, environ=settings, name=app)

    @pytest.fixture(scope="class")
    @classmethod
    def deployment(cls, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
        """How the server is run. Overridden, it runs elsewhere: in a container, for example."""
        folder = tmp_path_factory.mktemp("server")
        provider = ProcessProvider(ready_timeout=_START_SECONDS)
        return Deployment(provider, cls.spec(TMPDIR=str(folder)), lambda: provider.pid, folder)

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, deployment: Deployment) -> Iterator[Endpoint]:
        """Where the server listens; its end has to leave nothing."""
        with deployment.provider as provider:
            yield provider.start(deployment.spec)
            root = deployment.root()
            members = process_tree.descendants(root) | {root}
        assert not process_tree.living(members), "the server's end leaves processes behind"
        left = [] if deployment.folder is None else list(deployment.folder.iterdir())
        assert not left, "the server's end leaves temporary files behind"

    def open(self, server: Endpoint, dialect: Dialect = "v1") -> SyncEnvClient[Any, Any, Any]:
        """Make a client of a session of its own; a context manager."""
        return self.client(base_url=server.base_url, token=server.token, dialect=dialect).sync()

    def episode(
        self, server: Endpoint, seed: int, dialect: Dialect = "v1", steps: int | None = None
    ) -> list[Moment]:
        """Play an episode on a fresh session."""
        with self.open(server, dialect) as client:
            return self.played(client, seed, steps)

    def played(
        self, client: SyncEnvClient[Any, Any, Any], seed: int, steps: int | None = None
    ) -> list[Moment]:
        """Play an episode on a session."""
        count = self.steps if steps is None else steps
        return play(RemotePlayer(client), self.act, seed=seed, steps=count, options=self.reset_options)

    def assert_same(self, one: list[Moment], other: list[Moment], *, as_json: bool = False) -> None:
        """Fail with the first difference of two episodes."""
        found = first_difference(one, other, ignore=self.ignore, as_json=as_json)
        assert found is None, found

    # --- the contract ----------------------------------------------------------------------------------

    def test_equal_seeds_give_equal_episodes(self, server: Endpoint) -> None:
        self.assert_same(self.episode(server, 1), self.episode(server, 1))

    def test_reset_leaves_nothing_of_the_last_episode(self, server: Endpoint) -> None:
        with self.open(server) as client:
            first = self.played(client, 1)
            second = self.played(client, 2)
            self.assert_same(self.played(client, 1), first)
        self.assert_same(second, self.episode(server, 2))

    def test_sessions_never_see_each_other(self, server: Endpoint) -> None:
        alone = [self.episode(server, seed) for seed in (1, 2)]
        with self.open(server) as one, self.open(server) as other:
            together: list[list[Moment]] = [[], []]
            episodes = [
                moments(
                    RemotePlayer(client), self.act, seed=seed, steps=self.steps, options=self.reset_options
                )
                for client, seed in ((one, 1), (other, 2))
            ]
            for _ in range(self.steps + 1):
                for episode, seen in zip(episodes, together, strict=True):
                    seen.extend([moment] if (moment := next(episode, None)) else [])
        for undisturbed, shared in zip(alone, together, strict=True):
            self.assert_same(shared, undisturbed)

    @both_dialects
    def test_every_field_travels_without_loss(
        self, server: Endpoint, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        environment: Environment[Any, Any, Any] = self.environment()
        player = LocalPlayer(environment)
        try:
            local = play(player, self.act, seed=3, steps=self.steps, options=self.reset_options)
        finally:
            player.close()
        self.assert_same(self.episode(server, 3, dialect), local, as_json=dialect == "openenv")

    def test_the_schema_says_what_is_sent(self, server: Endpoint) -> None:
        schema = fetch_schema(server)
        of = {name: Draft202012Validator(schema[name]) for name in schema}
        with GenericEnvClient(
            base_url=server.base_url, token=server.token, dialect="openenv"
        ).sync() as client:
            of["reset_observation"].validate(client.reset(**self.reset_options, seed=4).observation)
            of["state"].validate(client.state())
            for moment in self.episode(server, 4)[1:]:
                assert moment.action is not None
                action = moment.action.model_dump(mode="json", exclude_unset=True)
                of["action"].validate(action)
                of["observation"].validate(client.step(action).observation)
                of["state"].validate(client.state())

    def test_the_spaces_contain_what_is_sent(self, server: Endpoint) -> None:
        episode = self.episode(server, 5)
        with gymnasium.make(
            "openenv/Remote-v0", base_url=server.base_url, token=server.token, disable_env_checker=True
        ) as env:
            observation, _ = env.reset(seed=5, options=dict(self.reset_options))
            assert observation in env.observation_space
            for moment in episode[1:]:
                observation, reward, terminated, truncated, _ = env.step(moment.action)
                assert observation in env.observation_space
                told = moment.observation
                assert (reward, terminated or truncated) == (float(told["reward"] or 0), told["done"])

    @both_dialects
    def test_bad_actions_are_refused_and_change_nothing(self, server: Endpoint, dialect: Dialect) -> None:
        undisturbed = self.episode(server, 6, dialect)
        with self.open(server, dialect) as client:
            player = RemotePlayer(client)
            seen = [Moment(None, player.reset({**self.reset_options, "seed": 6}))]
            for moment in undisturbed[1:]:
                assert moment.action is not None
                fields = moment.action.model_dump(exclude_unset=True)
                for bad in ({**fields, "no_such_field": 1}, *self.bad_actions):
                    with pytest.raises(EnvError, match=r"\S"):
                        client.step(dict(bad))
                seen.append(Moment(moment.action, player.step(moment.action)))
        self.assert_same(seen, undisturbed)

    def test_an_unknown_reset_option_is_refused(self, server: Endpoint) -> None:
        with self.open(server) as client:
            with pytest.raises(EnvError, match="no_such_option"):
                client.reset(no_such_option=1)
            self.assert_same(self.played(client, 7), self.episode(server, 7))

    def test_closing_frees_everything(self, server: Endpoint, deployment: Deployment) -> None:
        def sessions() -> None:
            with self.open(server) as one, self.open(server) as other:
                self.played(one, 8, steps=2)
                self.played(other, 9, steps=2)
            with self.open(server) as last:
                self.played(last, 10, steps=1)

        sessions()  # what is started once and shared is there afterwards
        allowed = _settled(deployment.root(), self.settling_seconds)
        for _ in range(2):
            sessions()
        give_up_at = time.monotonic() + self.settling_seconds
        while not (held := process_tree.usage(deployment.root())).fits(allowed):
            assert time.monotonic() < give_up_at, f"{held} is left of sessions that are closed: {allowed}"
            time.sleep(0.1)

    def test_gymnasiums_checker_passes(self, server: Endpoint) -> None:
        if self.gymnasium_id is None:
            return
        with gymnasium.make(
            self.gymnasium_id, base_url=server.base_url, token=server.token, **self.make_options
        ) as env:
            check_env(env.unwrapped)

    def test_state_tells_the_episode(self, server: Endpoint) -> None:
        with self.open(server) as client:
            episode = play(
                RemotePlayer(client),
                self.act,
                seed=11,
                steps=2,
                options={**self.reset_options, "episode_id": "an-episode"},
            )
            state = client.state()
        assert (state.episode_id, state.step_count) == ("an-episode", len(episode) - 1)


def _settled(pid: int, timeout: float) -> process_tree.Usage:
    """What a tree holds once that stays the same for a second."""
    give_up_at = time.monotonic() + timeout
    held, since = process_tree.usage(pid), time.monotonic()
    while time.monotonic() - since < 1.0:
        assert time.monotonic() < give_up_at, "the server does not come to rest"
        time.sleep(0.1)
        if (now := process_tree.usage(pid)) != held:
            held, since = now, time.monotonic()
    return held
