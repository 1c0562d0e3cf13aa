"""RemoteEnv: one remote session as a `gymnasium.Env`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium

from openenv_gym.adapters.finding import find_servers
from openenv_gym.adapters.infos import fault_text, make_info
from openenv_gym.adapters.interface import Transition
from openenv_gym.adapters.servers import connect
from openenv_gym.client.dialects import DEFAULT_OUTAGE_TIMEOUT, Dialect
from openenv_gym.client.fleet import Fleet
from openenv_gym.errors import (
    ClosedError,
    EnvError,
    NotResetError,
    PeerError,
    UsageError,
)
from openenv_gym.providers.openenv_provider import AnyProvider
from openenv_gym.wire.messages import FrameReply, Op, Outcome, Reply, Request, SnapshotReply, StateReply

# The server's own default deadline for a step is ten minutes; the minute lets its answer arrive.
DEFAULT_STEP_TIMEOUT = 660.0
DEFAULT_RESET_TIMEOUT = 120.0

OnFault = Literal["truncate", "raise"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Where a `RemoteEnv` was; made by `RemoteEnv.snapshot`.

    Attributes:
        handle: The server's name for it.
        observation: The last one.
        rng: State of the generator that draws the seeds of unseeded resets.
    """

    handle: str
    observation: Any = field(repr=False)
    rng: Mapping[str, Any] = field(repr=False)


class RemoteEnv(gymnasium.Env[Any, Any]):
    """Any OpenEnv server as a Gymnasium environment; its spaces come from the server's ``/schema``.

    Args:
        base_url: The server, for example ``"http://localhost:8000"``; of several, the first healthy one.
        provider: Starts the server instead; stopped by `close`. A provider is for one server: where
            Gymnasium makes several environments (``make_vec`` with ``vectorization_mode="async"``), give what
            makes one, for example ``partial(DockerProvider, memory="4g")``; or a `Fleet`, which all share.
        image: The container image to run, by ``provider`` or else by a `DockerProvider` with its defaults.
        server: The environment's ASGI app as an import string, or another library's environment as
            ``engine:ID``, for example ``"gymnasium:CartPole-v1"``. With nothing else to run or to call, it
            runs as a local child process that all environments of this process share.
        token: Bearer token for ``base_url``.
        env_vars: Environment variables for the server that is started.
        default_image: The environment's own container image, for a ``provider`` that is given no ``image``.
        extra: Extra of ``openenv-gym`` that installs ``server``, for the error when it is missing.
        reset_timeout: Seconds a reset may take, opening the session included.
        step_timeout: Seconds a step may take.
        on_fault: ``"raise"`` raises what went wrong; ``"truncate"`` ends the episode instead, with the last
            observation, reward 0.0 and ``info["fault"]``.
        reset_options: The environment's own reset options for every reset, for trainers that give none; what
            a reset is given comes before them.
        lenient: For servers that do not keep to their own ``/schema``: in the observation space any field
            may be missing, and unknown ones go into the JSON text field ``additional_properties``.
        dialect: ``"auto"`` speaks openenv-gym.v1 with servers that do, OpenEnv's dialect with the others;
            ``"v1"`` or ``"openenv"`` insists on one.
        outage_timeout: Seconds that a server may be out of reach before its sessions are lost, in
            openenv-gym.v1; shorter outages go unnoticed (the server's lease allowing, 60 s by default).
        render_mode: What `render` returns: one of the ``metadata["render_modes"]`` that the server offers, or
            ``None``. ``gymnasium.make`` knows ``"human"`` and ``"rgb_array_list"`` too.

    Raises:
        ServerUnreachableError: The server did not answer.
        StartupError: The server could not be started.
        SchemaError: Its schema cannot become spaces.
        UsageError: It does not draw what ``render_mode`` asks for.
    """

    # What a server may offer, for `gymnasium.make`; an instance has its own server's.
    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"]}  # noqa: RUF012

    def __init__(
        self,
        base_url: str | Sequence[str] | None = None,
        *,
        provider: AnyProvider | Fleet | None = None,
        image: str | None = None,
        server: str | None = None,
        token: str | None = None,
        env_vars: Mapping[str, str] | None = None,
        default_image: str | None = None,
        extra: str | None = None,
        reset_timeout: float = DEFAULT_RESET_TIMEOUT,
        step_timeout: float = DEFAULT_STEP_TIMEOUT,
        on_fault: OnFault = "raise",
        reset_options: Mapping[str, Any] | None = None,
        lenient: bool = False,
        dialect: Dialect = "auto",
        outage_timeout: float = DEFAULT_OUTAGE_TIMEOUT,
        render_mode: str | None = None,
    ) -> None:
        check_on_fault(on_fault)
        self.render_mode = render_mode
        self._reset_timeout = reset_timeout
        self._step_timeout = step_timeout
        self._on_fault = on_fault
        self._last_observation: Any = None
        self._closed = False
        self._servers = find_servers(
            base_url,
            token=token,
            provider=provider,
            image=image,
            env_vars=env_vars,
            server=server,
            default_image=default_image,
            extra=extra,
        )
        self._interface, self._pool = connect(
            self._servers,
            1,
            timeout=reset_timeout,
            lenient=lenient,
            reset_options=reset_options,
            dialect=dialect,
            outage_timeout=outage_timeout,
            render_mode=render_mode,
        )
        self.metadata = self._interface.metadata
        self.action_space = self._interface.action_space
        self.observation_space = self._interface.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode, on a fresh session if the last one was lost.

        Args:
            seed: Sent to the environment; drawn from `np_random` when ``None``, unless the environment goes
                on with a generator of its own, as Gymnasium's do.
            options: The environment's own reset options, for example ``{"task_id": "bug_fix"}``.

        Returns:
            The observation, and ``info`` with ``metadata`` (JSON text), ``reward_given`` and ``fault``; where
            the environment is Gymnasium's own, its info's entries stand beside these.

        Raises:
            NoHealthyServerError: No server opened a session within ``reset_timeout``.
            InvalidActionError: The environment does not take one of the options.
        """
        super().reset(seed=seed)
        request = self._interface.reset_request(self.np_random, seed, options)
        reply = self._call(request, self._reset_timeout)
        transition = self._interface.transition(_expect_outcome(reply))
        self._last_observation = transition.observation
        return transition.observation, transition.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Args:
            action: A value of the action space, or the environment's ``Action`` model.

        Returns:
            Observation, reward (0.0 when the environment gave none), terminated, truncated, info.

        Raises:
            SessionLostError: The connection broke or the step timed out (``on_fault="raise"``).
            InvalidActionError: The action does not fit.
            EnvironmentFailedError: The environment raised (``on_fault="raise"``).
        """
        request = self._interface.step_request(action)
        try:
            transition = self._interface.transition(_expect_outcome(self._call(request, self._step_timeout)))
        except NotResetError:
            raise
        except (PeerError, EnvError) as error:
            if self._on_fault == "raise" or self._last_observation is None:
                raise
            # No reward: nothing is passed off as the environment's own.
            info = make_info(Outcome({}), fault_text(error))
            transition = Transition(self._last_observation, 0.0, False, True, info)
        self._last_observation = transition.observation
        return (
            transition.observation,
            transition.reward,
            transition.terminated,
            transition.truncated,
            transition.info,
        )

    def state(self) -> dict[str, Any]:
        """Fetch the environment's state: ``episode_id``, ``step_count`` and what else it reports."""
        reply = self._call(Request(Op.STATE), self._step_timeout)
        assert isinstance(reply, StateReply)
        return reply.data

    def snapshot(self) -> Snapshot:
        """Have the server keep the episode as it is now, for `restore` and `fork`.

        It is kept as long as this session lives, and as long as the server does not drop it: a session keeps
        those 16 (unless its operator chose otherwise) that were used last. An environment that
        ``gymnasium.make`` made is wrapped, and its wrappers count steps: use `openenv_gym.snapshot` on it.

        Raises:
            NotSupportedError: The environment offers no snapshots, or its server speaks OpenEnv's dialect.
            NotResetError: There was no ``reset``.
            SessionLostError: The episode is gone.
        """
        reply = self._call(Request(Op.SNAPSHOT), self._step_timeout)
        assert isinstance(reply, SnapshotReply)
        return Snapshot(reply.handle, self._last_observation, self.np_random.bit_generator.state)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back: the next step continues from where the snapshot was taken, as often as you like.

        Raises:
            SnapshotLostError: The server keeps it no longer; the episode goes on.
            EnvironmentFailedError: The environment could not; it needs a ``reset``, or another ``restore``.
            SessionLostError: The episode is gone, and its snapshots with it.
        """
        self._call(Request(Op.RESTORE, {"snapshot": snapshot.handle}), self._step_timeout)
        self._last_observation = snapshot.observation
        self.np_random.bit_generator.state = snapshot.rng

    def fork(self, snapshot: Snapshot | None = None) -> RemoteEnv:
        """Make an environment of its own that continues from a snapshot of this one, at the same server.

        Args:
            snapshot: Of this environment; by default one taken now, which counts too. To fork many from one
                state, take it once.

        Returns:
            The fork. It takes a session of its own; close it by itself, before or after this one: a server
            that was started for them stops with the last.

        Raises:
            CapacityError: The server has no free session.
            SnapshotLostError: The server keeps the snapshot no longer.
            NotSupportedError: As for `snapshot`, or the environment allows one session only.
            SessionLostError: The episode is gone, and its snapshots with it.
        """
        if self._closed:
            raise ClosedError("fork() was called after close(); make a new environment")
        if snapshot is None:
            snapshot = self.snapshot()
        twin = copy.copy(self)
        twin._pool = self._pool.fork(0, snapshot.handle, self._reset_timeout)
        self._servers.share()
        twin._last_observation = snapshot.observation
        twin.np_random = copy.deepcopy(self.np_random)
        twin.np_random.bit_generator.state = snapshot.rng
        # They draw samples, each with a generator of its own.
        twin.action_space = copy.deepcopy(self.action_space)
        twin.observation_space = copy.deepcopy(self.observation_space)
        return twin

    def render(self) -> Any:
        """Have the server draw the episode as it stands.

        Returns:
            By ``render_mode``: ``"rgb_array"`` a uint8 array of shape (height, width, 3), ``"ansi"`` text,
            ``None`` nothing.

        Raises:
            NotResetError: There was no ``reset``.
            NotSupportedError: The server speaks OpenEnv's dialect.
            SessionLostError: The episode is gone.
        """
        if self.render_mode is None:
            return None
        reply = self._call(self._interface.render_request(self.render_mode), self._step_timeout)
        assert isinstance(reply, FrameReply)
        return self._interface.frame(self.render_mode, reply.frame)

    def close(self) -> None:
        """Close the session and give back the server. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self._pool.close()
        finally:
            self._servers.release()

    def _call(self, request: Request, timeout: float) -> Reply:
        if self._closed:
            raise ClosedError(f"{request.op}() was called after close(); make a new environment")
        return self._pool.call(0, request, timeout)


def check_on_fault(on_fault: str) -> None:
    """Refuse unknown values of the option."""
    if on_fault not in ("truncate", "raise"):
        raise UsageError(f"on_fault= is 'truncate' or 'raise', not {on_fault!r}")


def _expect_outcome(reply: Reply) -> Outcome:
    assert isinstance(reply, Outcome)
    return reply
