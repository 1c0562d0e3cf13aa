"""RemoteVectorEnv: many remote sessions as one `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from gymnasium.vector import AutoresetMode, VectorEnv

from openenv_gym.adapters.async_vector_face import AsyncVectorFace
from openenv_gym.adapters.finding import find_servers
from openenv_gym.adapters.lane_engine import Batch, LaneEngine, Plan, ResetBatch
from openenv_gym.adapters.lanes import Calls, TaskSampler
from openenv_gym.adapters.remote_env import (
    DEFAULT_RESET_TIMEOUT,
    DEFAULT_STEP_TIMEOUT,
    OnFault,
    check_on_fault,
)
from openenv_gym.client.dialects import DEFAULT_OUTAGE_TIMEOUT, Dialect
from openenv_gym.client.fleet import Fleet
from openenv_gym.errors import UsageError
from openenv_gym.providers.openenv_provider import AnyProvider
from openenv_gym.wire.messages import FrameReply, Op, Request, StateReply

_Answer = TypeVar("_Answer", StateReply, FrameReply)


class RemoteVectorEnv(VectorEnv[Any, Any, Any]):
    """Sessions on one or several OpenEnv servers, stepped together or as they become ready.

    A fault stays in its lane: by default it ends that lane's episode (``truncated``, reward 0.0 with
    ``info["reward_given"]`` false, ``info["fault"]`` set: mask the transition in training), and the
    lane's next reset runs on a healthy server.

    Args:
        base_url: The server, or several; lanes are spread over all, and over those that these name as their
            siblings (``serve --workers``).
        num_envs: How many lanes, each with a session of its own.
        provider: Starts the server instead; stopped by `close`. Or a `Fleet`, which keeps several running: a
            lane whose server is lost goes to another, at its next reset.
        image: The container image to run, by ``provider`` or else by a `DockerProvider` with its defaults.
        num_containers: Run so many containers, each for a part of the lanes, and replace those that die: a
            `Fleet` of this size, each server of which is started by a copy of ``provider``.
        server: The environment's ASGI app as an import string, or another library's environment as
            ``engine:ID``, for example ``"gymnasium:CartPole-v1"``. With nothing else to run or to call, it
            runs as a local child process that all environments of this process share.
        token: Bearer token for ``base_url``.
        env_vars: Environment variables for the server that is started.
        default_image: The environment's own container image, for a ``provider`` that is given no ``image``.
        extra: Extra of ``openenv-gym`` that installs ``server``, for the error when it is missing.
        workers: How many processes run that local server, so that environments which compute use as many
            cores.
        autoreset_mode: NEXT_STEP (default; RLlib's), SAME_STEP (SB3's) or DISABLED (TorchRL's).
        max_episode_steps: Truncate an episode after so many steps.
        task_sampler: ``(lane, rng) -> options`` for every reset of a lane that is given none, so for
            each autoreset.
        reset_timeout: Seconds a reset may take, finding a healthy server included.
        step_timeout: Seconds a step may take.
        on_fault: ``"truncate"`` or ``"raise"``.
        reset_options: The environment's own reset options for every reset, autoresets included; what a reset
            is given, or the task sampler gives, comes before them.
        lenient: Accept observations that do not fit the server's own ``/schema``; see `RemoteEnv`.
        copy: With ``False``, `reset` and `step` return one buffer that the next call overwrites.
        dialect: ``"auto"`` speaks openenv-gym.v1 with servers that do, OpenEnv's dialect with the others;
            ``"v1"`` or ``"openenv"`` insists on one.
        outage_timeout: Seconds that a server may be out of reach before its sessions are lost, in
            openenv-gym.v1; shorter outages go unnoticed (the server's lease allowing, 60 s by default).
        render_mode: What `render` returns of each lane; see `RemoteEnv`.

    Raises:
        ServerUnreachableError: The server did not answer.
        StartupError: The server could not be started.
        SchemaError: Its schema cannot become spaces.
    """

    def __init__(
        self,
        base_url: str | Sequence[str] | None = None,
        *,
        num_envs: int = 1,
        provider: AnyProvider | Fleet | None = None,
        image: str | None = None,
        num_containers: int | None = None,
        server: str | None = None,
        token: str | None = None,
        env_vars: Mapping[str, str] | None = None,
        default_image: str | None = None,
        extra: str | None = None,
        workers: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        task_sampler: TaskSampler | None = None,
        reset_timeout: float = DEFAULT_RESET_TIMEOUT,
        step_timeout: float = DEFAULT_STEP_TIMEOUT,
        on_fault: OnFault = "truncate",
        reset_options: Mapping[str, Any] | None = None,
        lenient: bool = False,
        copy: bool = True,
        dialect: Dialect = "auto",
        outage_timeout: float = DEFAULT_OUTAGE_TIMEOUT,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        self.closed = True  # until construction went through: `close` asks
        check_on_fault(on_fault)
        if num_envs < 1:
            raise UsageError(f"num_envs={num_envs}: a vector environment has at least one lane")
        self._engine = LaneEngine(
            find_servers(
                base_url,
                token=token,
                provider=provider,
                image=image,
                num_containers=num_containers,
                env_vars=env_vars,
                server=server,
                default_image=default_image,
                extra=extra,
                workers=workers,
            ),
            num_envs,
            autoreset_mode=AutoresetMode(autoreset_mode),
            max_episode_steps=max_episode_steps,
            task_sampler=task_sampler,
            reset_timeout=reset_timeout,
            step_timeout=step_timeout,
            truncate_on_fault=on_fault == "truncate",
            lenient=lenient,
            reset_options=reset_options,
            copy=copy,
            dialect=dialect,
            outage_timeout=outage_timeout,
            render_mode=render_mode,
        )
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = self._engine.autoreset_mode
        self.metadata = {**self._engine.interface.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_action_space = self._engine.single_action_space
        self.single_observation_space = self._engine.single_observation_space
        self.action_space = self._engine.action_space
        self.observation_space = self._engine.observation_space
        self._pending: tuple[Plan, Calls] | None = None
        self.closed = False

    @property
    def aio(self) -> AsyncVectorFace:
        """The same environment for asyncio code: ``await envs.aio.step(actions)``."""
        return AsyncVectorFace(self._engine)

    # --- lockstep --------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> ResetBatch:
        """Start episodes, all lanes at once.

        What is in flight, by `send` or because a `step` was interrupted, is given up with its sessions
        (except under ``"reset_mask"``).

        Args:
            seed: One int (lane ``i`` gets ``seed + i``), one entry a lane, or ``None``.
            options: The environment's reset options for all lanes; ``"lanes"`` adds options for single
                lanes (a mapping or one entry a lane); ``"reset_mask"`` (bool array, shape ``(num_envs,)``)
                leaves the other lanes as they are.

        Returns:
            The batched observations and infos.

        Raises:
            NoHealthyServerError: A lane found no server within ``reset_timeout``.
        """
        self._pending = None
        result: ResetBatch = self._run(self._engine.reset_plan(seed, options))
        return result

    def step(self, actions: Any) -> Batch:
        """Step every lane once.

        Args:
            actions: A value of the batched action space, or one action (or ``Action`` model) a lane.

        Returns:
            Batched observations; rewards (float64), terminations and truncations (bool) of shape
            ``(num_envs,)``; infos.
        """
        batch: Batch = self._run(self._engine.step_plan(actions))
        return batch

    def step_async(self, actions: Any) -> None:
        """Start a step of every lane; `step_wait` returns its result."""
        if self._pending is not None:
            raise UsageError("step_async() twice: call step_wait() in between")
        plan = self._engine.step_plan(actions)
        calls = next(plan)
        self._engine.submit(calls)
        self._pending = plan, calls

    def step_wait(self) -> Batch:
        """Wait for the step that `step_async` started."""
        if self._pending is None:
            raise UsageError("step_wait() without step_async()")
        (plan, calls), self._pending = self._pending, None
        batch: Batch = self._finish(plan, calls)
        return batch

    def _run(self, plan: Plan) -> Any:
        calls = next(plan)
        self._engine.submit(calls)
        return self._finish(plan, calls)

    def _finish(self, plan: Plan, calls: Calls) -> Any:
        try:
            while True:
                calls = plan.send(self._engine.pool.collect(len(calls), None))
                self._engine.submit(calls)
        except StopIteration as stop:
            return stop.value

    # --- as lanes become ready -------------------------------------------------------------------------

    def send(self, actions: Any, env_ids: Sequence[int]) -> None:
        """Start a step on some lanes and return at once; `recv` hands out the results.

        Args:
            actions: One action a lane, as `step` takes them.
            env_ids: The lanes, none of which has a call running.
        """
        self._engine.send(actions, env_ids)

    def send_reset(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a reset on some lanes (default: all) and return at once; `recv` hands out the results."""
        self._engine.send_reset(env_ids, seed, options)

    def recv(self, min_envs: int = 1, timeout: float | None = None) -> Batch:
        """Wait until some lanes are ready and return all that are.

        Args:
            min_envs: Wait for at least so many (at most those in flight).
            timeout: Seconds to wait; then fewer are returned.

        Returns:
            As `step`, with one entry for each ready lane, in arrival order; ``info["env_id"]`` names them.

        Raises:
            UsageError: Fewer than ``min_envs`` lanes have a call running.
            TimeoutError: Not one lane was ready in time; their calls run on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while missing := self._engine.missing(min_envs):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            completions = self._engine.pool.collect(missing, left)
            self._engine.take(completions)
            if deadline is not None and len(completions) < missing:
                break
        return self._engine.hand_out()

    # --- the rest --------------------------------------------------------------------------------------

    def state(self) -> list[dict[str, Any]]:
        """Fetch every lane's state: ``episode_id``, ``step_count`` and what else the environment reports."""
        return [reply.data for reply in self._ask_everyone(Request(Op.STATE), StateReply)]

    def render(self) -> tuple[Any, ...] | None:
        """Have the server draw every lane's episode as it stands.

        Returns:
            What `RemoteEnv.render` returns, one a lane; ``None`` without a ``render_mode``.
        """
        if self.render_mode is None:
            return None
        interface = self._engine.interface
        replies = self._ask_everyone(interface.render_request(self.render_mode), FrameReply)
        return tuple(interface.frame(self.render_mode, reply.frame) for reply in replies)

    def _ask_everyone(self, request: Request, kind: type[_Answer]) -> list[_Answer]:
        """Make one call on every lane, none of which has another running; raises the first error."""
        self._engine.pool.submit(
            [(index, request) for index in range(self.num_envs)], self._engine.step_timeout
        )
        answers: dict[int, _Answer] = {}
        for index, result in self._engine.pool.collect(self.num_envs, None):
            if not isinstance(result, kind):
                assert isinstance(result, Exception)
                raise result
            answers[index] = result
        return [answers[index] for index in range(self.num_envs)]

    def __del__(self) -> None:
        """Leave what was forgotten to the pool, which warns of it and frees it in the background.

        Gymnasium's own, which later versions do without, would wait for the goodbyes in whatever thread
        collects garbage: in the one that sends them, for example.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close_extras(self, **kwargs: Any) -> None:
        """Close every session and give back the servers (called by `close`)."""
        self._engine.close()
