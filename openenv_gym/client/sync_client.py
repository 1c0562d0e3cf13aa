"""The synchronous face of a client: the same methods, blocking."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, Self

from openenv_gym.client.client_models import ActT, ObsT, StateT, reply_payload
from openenv_gym.client.env_client import EnvClient
from openenv_gym.models import StepResult
from openenv_gym.wire.messages import FrameReply, Op, Request, SnapshotReply


class SyncEnvClient(Generic[ActT, ObsT, StateT]):
    """An `EnvClient` for code that is not ``async``; made by `EnvClient.sync`.

    Each call blocks the thread that makes it, and raises what the asynchronous one raises. The session lives
    on the I/O thread, so it stays healthy while this thread computes for minutes.

    Args:
        client: The asynchronous client whose session this is.
    """

    def __init__(self, client: EnvClient[ActT, ObsT, StateT]) -> None:
        self._client = client
        self._link = client._link

    @property
    def async_client(self) -> EnvClient[ActT, ObsT, StateT]:
        """The asynchronous client of the same session."""
        return self._client

    @property
    def base_url(self) -> str | None:
        """The server's URL; ``None`` while a provider has not started it."""
        return self._client.base_url

    def reset(self, **options: Any) -> StepResult[ObsT]:
        """Start a new episode; see `EnvClient.reset`."""
        client = self._client
        request = Request(Op.RESET, options)
        return client._parse_result(reply_payload(self._link.call(request, client._message_timeout)))

    def step(self, action: ActT, *, timeout: float | None = None) -> StepResult[ObsT]:
        """Take one step; see `EnvClient.step`."""
        client = self._client
        request = Request(Op.STEP, client._step_payload(action))
        limit = client._message_timeout if timeout is None else timeout
        return client._parse_result(reply_payload(self._link.call(request, limit)))

    def state(self) -> StateT:
        """Fetch the episode's bookkeeping; see `EnvClient.state`."""
        client = self._client
        reply = self._link.call(Request(Op.STATE), client._message_timeout)
        return client._parse_state(reply_payload(reply))

    def snapshot(self) -> str:
        """Have the server keep the episode as it is now; see `EnvClient.snapshot`."""
        reply: SnapshotReply = self._link.call(Request(Op.SNAPSHOT), self._client._message_timeout)
        return reply.handle

    def restore(self, snapshot: str) -> None:
        """Go back to a snapshot; see `EnvClient.restore`."""
        self._link.call(Request(Op.RESTORE, {"snapshot": snapshot}), self._client._message_timeout)

    def render(self, mode: str = "rgb_array") -> Any:
        """Have the server draw the episode as it stands; see `EnvClient.render`."""
        reply: FrameReply = self._link.call(Request(Op.RENDER, {"mode": mode}), self._client._message_timeout)
        return reply.frame

    def fork(self, snapshot: str | None = None) -> SyncEnvClient[ActT, ObsT, StateT]:
        """Open another session which continues from a snapshot of this one; see `EnvClient.fork`."""
        client = self._client
        if snapshot is None:
            snapshot = self.snapshot()
        return client._child(self._link.fork(snapshot, client._message_timeout)).sync()

    def connect(self) -> Self:
        """Connect now instead of at the first call; see `EnvClient.connect`."""
        self._link.connect()
        return self

    def disconnect(self) -> None:
        """Close the connection, and with it the episode; ``reset`` opens a new one."""
        self._link.disconnect()

    def close(self) -> None:
        """End the session, those of `new_session`, and a provider's server. Safe to call twice."""
        children, self._client._children = self._client._children, []
        try:
            for child in children:
                child._link.close()
        finally:
            self._link.close()

    def new_session(self) -> SyncEnvClient[ActT, ObsT, StateT]:
        """Open another session at the same server; closed with this client at the latest."""
        return self._client._child(self._link.sibling()).sync().connect()

    def __enter__(self) -> Self:
        try:
            return self.connect()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SyncEnvClient of {self._client!r}>"
