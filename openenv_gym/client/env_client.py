"""The asynchronous client of one session, and the base of typed clients."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from openenv_gym.client.client_models import ActT, ClientModels, ObsT, StateT, reply_payload
from openenv_gym.client.dialects import DEFAULT_OUTAGE_TIMEOUT, Dialect
from openenv_gym.client.dialling import WebSocketDial
from openenv_gym.client.factories import project_runner, space_subdomain, unstarted
from openenv_gym.client.handle import UnstartedClient
from openenv_gym.client.link import Link
from openenv_gym.client.sharing import shared_connector
from openenv_gym.client.spilling import SpillingConnector
from openenv_gym.errors import UsageError
from openenv_gym.models import StepResult
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.openenv_provider import AnyProvider, as_provider
from openenv_gym.transport.address import parse_address
from openenv_gym.wire.messages import FrameReply, Op, Request, SnapshotReply

if TYPE_CHECKING:
    from openenv_gym.client.sync_client import SyncEnvClient


class EnvClient(ClientModels[ActT, ObsT, StateT]):
    """One session at an OpenEnv server, for ``async`` code; `sync` gives the face for all other code.

    A typed client names its models and is done::

        class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
            pass

        async with EchoEnv(base_url="http://localhost:8000") as client:
            result = await client.reset(seed=1)
            result = await client.step(EchoAction(message="hello"))

    Observations tolerate fields that the model does not know (see `openenv_gym.client.conversion`). A client
    written for OpenEnv that overrides ``_step_payload``, ``_parse_result`` and ``_parse_state`` works too.

    One call runs at a time. When a reply does not come in time or a call is cancelled, the episode is gone:
    calls raise `SessionLostError` until ``reset`` opens a new session. So it is when the connection breaks in
    OpenEnv's own dialect; in openenv-gym.v1 it mends itself. Pauses between calls may last as long as they
    like.

    Args:
        base_url: The server: ``http(s)://``, ``ws(s)://`` or ``host:port``, maybe with a path. When it is
            full, a session goes to a sibling that it names (``serve --workers``), if one has room.
        connect_timeout_s: Seconds connecting may take.
        message_timeout_s: Seconds a reply may take; ``None`` waits forever.
        max_message_size_mb: Largest reply accepted, MiB.
        websocket_ping_interval_s: Seconds between pings, which keep NATs from forgetting the connection.
        websocket_ping_timeout_s: Seconds a ping may stay unanswered. Long, because a server that is busy with
            an environment answers late; ``None`` waits forever.
        provider: Starts the server on connecting and stops it on closing, instead of ``base_url``.
        headers: Sent along when connecting.
        token: The server's bearer token.
        spec: What ``provider`` starts; by default the class's `server_app`.
        dialect: ``"auto"`` speaks openenv-gym.v1 with servers that do, OpenEnv's dialect with the others;
            ``"v1"`` or ``"openenv"`` insists on one.
        outage_timeout_s: Seconds that a server may be out of reach before its sessions are lost, in
            openenv-gym.v1; shorter outages go unnoticed (the server's lease allowing, 60 s by default).

    Attributes:
        action_type: The action model; from the class's type arguments unless set.
        observation_type: The observation model, likewise.
        state_type: The state model, likewise.
        server_app: The environment's ASGI app as an import string, for a ``provider`` without a ``spec``.

    Raises:
        UsageError: Neither or both of ``base_url`` and ``provider``, or a URL that is none.
    """

    server_app: ClassVar[str | None] = None

    def __init__(
        self,
        base_url: str | None = None,
        connect_timeout_s: float = 10.0,
        message_timeout_s: float | None = 60.0,
        max_message_size_mb: float = 100.0,
        websocket_ping_interval_s: float | None = 20.0,
        websocket_ping_timeout_s: float | None = 15 * 60.0,
        provider: AnyProvider | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        *,
        spec: ServerSpec | None = None,
        dialect: Dialect = "auto",
        outage_timeout_s: float = DEFAULT_OUTAGE_TIMEOUT,
    ) -> None:
        if (base_url is None) == (provider is None):
            raise UsageError("give a client either base_url=, as in http://localhost:8000, or provider=")
        if provider is not None and spec is None:
            if self.server_app is None:
                raise UsageError(f"{type(self).__name__} does not know its server: give spec= with provider=")
            spec = ServerSpec(app=self.server_app)
        self._message_timeout = message_timeout_s
        self._children: list[Self] = []
        self._link = Link(
            type(self).__name__,
            endpoint=Endpoint(parse_address(base_url).http, token) if base_url is not None else None,
            provider=None if provider is None else as_provider(provider),
            spec=spec,
            connector=SpillingConnector(
                shared_connector(
                    WebSocketDial(
                        headers=tuple((headers or {}).items()),
                        max_message_size=int(max_message_size_mb * 2**20),
                        ping_interval=websocket_ping_interval_s,
                        ping_timeout=websocket_ping_timeout_s,
                    ),
                    dialect,
                    outage_timeout_s,
                )
            ),
            connect_timeout=connect_timeout_s,
        )

    @classmethod
    def from_docker_image(
        cls,
        image: str,
        provider: AnyProvider | None = None,
        *,
        env_vars: Mapping[str, str] | None = None,
        wait_timeout: float | None = None,
        **options: Any,
    ) -> UnstartedClient[Self]:
        """Make a client of a container that is started for it: ``await`` the result, or call ``.sync()``.

        ::

            client = GitEnv.from_docker_image("git-env:latest", memory="4g", message_timeout_s=120).sync()

        Args:
            image: The container image.
            provider: What runs it, or the class of that, by default `DockerProvider`; stopped when the client
                is closed. One that was written for OpenEnv will do (``start_container``, ``wait_for_ready``,
                ``stop_container``).
            env_vars: Environment variables of the container.
            wait_timeout: Seconds the container may take until its server answers.
            options: What the client's constructor takes is for that. The rest is for the provider that is
                made here, or for an OpenEnv provider's ``start_container``.

        Raises:
            UsageError: An option that nobody takes.
        """
        return unstarted(
            cls,
            f"{cls.__name__}.from_docker_image()",
            ServerSpec(image=image, environ=env_vars or {}),
            provider,
            wait_timeout,
            options,
        )

    @classmethod
    def from_env(
        cls,
        repo_id: str,
        *,
        use_docker: bool = True,
        provider: AnyProvider | None = None,
        tag: str = "latest",
        project_path: str | None = None,
        env_vars: Mapping[str, str] | None = None,
        wait_timeout: float | None = None,
        **options: Any,
    ) -> UnstartedClient[Self]:
        """Make a client of a Hugging Face Space that is run here; see `from_docker_image`.

        Args:
            repo_id: The space, as ``owner/name``.
            use_docker: Run the space's container image. With ``False`` its repository is run instead, by a
                `UVProvider`: in a process of this machine that can do all that you can.
            provider: What runs it instead; stopped when the client is closed.
            tag: The image's tag.
            project_path: A folder, or the URL of a git repository, to run instead of the space's repository.
            env_vars: Environment variables of the server.
            wait_timeout: Seconds it may take until it answers.
            options: As for `from_docker_image`.

        Raises:
            UsageError: ``repo_id`` is not ``owner/name``, or an option that nobody takes.
        """
        image = f"registry.hf.space/{space_subdomain(repo_id)}:{tag}"
        spec = ServerSpec(image=image if use_docker else None, environ=env_vars or {})
        if not use_docker and provider is None:
            provider = project_runner(project_path or f"https://huggingface.co/spaces/{repo_id}")
        elif project_path is not None:
            raise UsageError(
                "project_path= is run by uv: it goes with use_docker=False, and with no provider="
            )
        return unstarted(cls, f"{cls.__name__}.from_env()", spec, provider, wait_timeout, options)

    @property
    def base_url(self) -> str | None:
        """The server's URL; ``None`` while a provider has not started it."""
        return parse_address(self._link.endpoint.base_url).shown if self._link.endpoint is not None else None

    # --- calls -----------------------------------------------------------------------------------------

    async def reset(self, **options: Any) -> StepResult[ObsT]:
        """Start a new episode, in a new session if the old one is lost.

        Args:
            options: What the environment's ``reset`` takes, for example ``seed=``.

        Raises:
            InvalidActionError: The environment does not take these options.
            EnvironmentFailedError: The environment's own code raised.
            ServerUnreachableError: There is no connection, and none can be made.
            CapacityError: The server has no free session.
            SessionLostError: The connection broke before the reply.
            StepTimeoutError: No reply came in time.
        """
        return self._parse_result(
            reply_payload(await self._link.acall(Request(Op.RESET, options), self._message_timeout))
        )

    async def step(self, action: ActT, *, timeout: float | None = None) -> StepResult[ObsT]:
        """Take one step.

        Args:
            action: The action, or a dict of its fields.
            timeout: Seconds the reply may take, instead of the client's ``message_timeout_s``.

        Raises:
            InvalidActionError: The environment does not take this action; the episode goes on.
            NotResetError: There was no ``reset``, or the episode is over.
            EnvironmentFailedError: The environment's own code raised.
            SessionLostError: The episode is gone; ``reset`` starts a new one.
            StepTimeoutError: No reply came in time; likewise.
            ConcurrentCallError: Another call of this client is running.
        """
        request = Request(Op.STEP, self._step_payload(action))
        limit = self._message_timeout if timeout is None else timeout
        return self._parse_result(reply_payload(await self._link.acall(request, limit)))

    async def state(self) -> StateT:
        """Fetch the episode's bookkeeping; raises what `step` raises."""
        return self._parse_state(
            reply_payload(await self._link.acall(Request(Op.STATE), self._message_timeout))
        )

    async def snapshot(self) -> str:
        """Have the server keep the episode as it is now.

        Returns:
            A handle for `restore` and `fork`: valid as long as this session lives, and as the server keeps
            it, which drops the one that was not used for the longest time when it has too many (16).

        Raises:
            NotSupportedError: The environment offers no snapshots, or the server speaks OpenEnv's dialect.
            NotResetError: There was no ``reset``.
            SessionLostError: The episode is gone.
        """
        reply: SnapshotReply = await self._link.acall(Request(Op.SNAPSHOT), self._message_timeout)
        return reply.handle

    async def restore(self, snapshot: str) -> None:
        """Go back: the next step continues from where the snapshot was taken, as often as you like.

        Raises:
            SnapshotLostError: The server keeps it no longer; the episode goes on.
            EnvironmentFailedError: The environment could not; it needs a ``reset``, or another ``restore``.
            NotSupportedError, SessionLostError: As for `snapshot`.
        """
        await self._link.acall(Request(Op.RESTORE, {"snapshot": snapshot}), self._message_timeout)

    async def fork(self, snapshot: str | None = None) -> Self:
        """Open another session at the same server which continues from a snapshot of this one.

        Args:
            snapshot: A handle of this session's; by default of a snapshot taken now, which counts too.

        Returns:
            A client of its own; closed with this client at the latest.

        Raises:
            CapacityError: The server has no free session; a fork takes one.
            SnapshotLostError, EnvironmentFailedError, NotSupportedError, SessionLostError: As for `restore`.
        """
        if snapshot is None:
            snapshot = await self.snapshot()
        return self._child(await self._link.afork(snapshot, self._message_timeout))

    async def render(self, mode: str = "rgb_array") -> Any:
        """Have the server draw the episode as it stands.

        Args:
            mode: One of the ``render_modes`` that the server's environment offers.

        Returns:
            For ``rgb_array`` a uint8 array of shape (height, width, 3), for ``ansi`` text.

        Raises:
            NotSupportedError: It offers none, or the server speaks OpenEnv's dialect.
            InvalidActionError: It does not offer this one.
            NotResetError: There was no ``reset``.
            SessionLostError: The episode is gone.
        """
        reply: FrameReply = await self._link.acall(Request(Op.RENDER, {"mode": mode}), self._message_timeout)
        return reply.frame

    async def connect(self) -> Self:
        """Connect now instead of at the first call, starting the provider's server if there is one.

        Raises:
            ServerUnreachableError: Nobody answers at the URL.
            AuthenticationError: The server refused the token.
            StartupError: The provider's server did not come up.
        """
        await self._link.aconnect()
        return self

    async def disconnect(self) -> None:
        """Close the connection, and with it the episode; ``reset`` opens a new one."""
        await self._link.adisconnect()

    async def close(self) -> None:
        """End the session, those of `new_session`, and a provider's server. Safe to call twice."""
        children, self._children = self._children, []
        try:
            await asyncio.gather(*(child.close() for child in children))
        finally:
            await self._link.aclose()

    async def new_session(self) -> Self:
        """Open another session at the same server; closed with this client at the latest."""
        child = self._child(await self._link.asibling())
        await child.connect()
        return child

    def sync(self) -> SyncEnvClient[ActT, ObsT, StateT]:
        """The synchronous face of this same session."""
        from openenv_gym.client.sync_client import SyncEnvClient

        return SyncEnvClient(self)

    async def __aenter__(self) -> Self:
        try:
            return await self.connect()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        name = type(self).__name__
        raise UsageError(f"{name} is asynchronous: use `async with`, or `with {name}(...).sync()`")

    def __exit__(self, *error: object) -> None: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.base_url or 'a server not started yet'}>"

    def _child(self, link: Link) -> Self:
        child = copy.copy(self)
        child._link, child._children = link, []
        self._children.append(child)
        return child
