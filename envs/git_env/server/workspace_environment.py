"""WorkspaceEnvironment: episodes in a session's workspace - its opening, snapshots of it, its end."""

from __future__ import annotations

import random
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from git_env.server.policy.refusal import Refusal
from git_env.server.saved_workspace import SavedWorkspace
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.shared_state import SharedState
from openenv_gym.errors import EnvironmentFailedError, NotResetError
from openenv_gym.server.environment import ActT, Environment, ObsT, StateT

EpisodeT = TypeVar("EpisodeT")


@dataclass(frozen=True, eq=False)
class EpisodeSnapshot(Generic[StateT, EpisodeT]):
    """An episode as it was; made by `WorkspaceEnvironment.snapshot`, for those that share its server.

    Attributes:
        shared: What they share.
        workspace: The files.
        episode: What does not change in it.
        state: The bookkeeping.
        rng: The state of the generator behind later resets.
    """

    shared: SharedState
    workspace: SavedWorkspace
    episode: EpisodeT
    state: StateT
    rng: tuple[Any, ...]


class WorkspaceEnvironment(Environment[ActT, ObsT, StateT], Generic[ActT, ObsT, StateT, EpisodeT]):
    """Base of the environments over git workspaces, for everything but what happens in one.

    A subclass sets ``_episode`` and ``_state`` in ``reset``, and hands ``_owned`` what ends with it.

    Args:
        shared: What the sessions of one server share.
        state: The bookkeeping before the first episode.
    """

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = True
    EXECUTION: ClassVar[Any] = "thread"
    MAX_SESSIONS: ClassVar[int | None] = 256

    def __init__(self, shared: SharedState, state: StateT) -> None:
        super().__init__()
        self._shared = shared
        self._owned = ExitStack()
        self._workspace: SessionWorkspace | None = None
        self._episode: EpisodeT | None = None
        # Goes on where a reset brings no seed, so that a seeded run is reproducible as a whole.
        self._rng = random.Random()
        self._state = state
        self._saved: weakref.WeakSet[SavedWorkspace] = weakref.WeakSet()

    @property
    def state(self) -> StateT:
        """The episode's bookkeeping."""
        return self._state

    def snapshot(self) -> EpisodeSnapshot[StateT, EpisodeT]:
        """Copy the episode, git's objects shared; see `openenv_gym.server.Restorable`.

        Raises:
            NotResetError: ``reset`` has not been called.
            EnvironmentFailedError: This session's snapshots would take more than a workspace may.
        """
        if self._workspace is None or self._episode is None:
            raise NotResetError("call reset() before snapshot()")
        left = self._shared.settings.limits.workspace_bytes - sum(saved.files.bytes for saved in self._saved)
        try:
            saved = self._workspace.save(left)
        except Refusal as error:
            raise EnvironmentFailedError(f"no snapshot can be taken: {error}") from None
        self._saved.add(saved)
        state, rng = self._state.model_copy(), self._rng.getstate()
        return EpisodeSnapshot(self._shared, saved, self._episode, state, rng)

    def restore(self, state: EpisodeSnapshot[StateT, EpisodeT]) -> None:
        """Take on an episode that `snapshot` copied.

        Raises:
            EnvironmentFailedError: It is from an environment that shares no mirrors with this one.
            SandboxError: Nothing can confine commands on this machine.
        """
        if state.shared is not self._shared:
            raise EnvironmentFailedError(
                "the snapshot needs the mirrors of its own server: serve the package's app, whose sessions "
                "share them"
            )
        self._usable_workspace().load(state.workspace)
        self._episode, self._state = state.episode, state.state.model_copy()
        self._rng.setstate(state.rng)

    def close(self) -> None:
        """End the sandbox, remove the workspace."""
        workspace, self._workspace = self._workspace, None
        with self._owned:
            if workspace is not None:
                workspace.close()

    def _usable_workspace(self) -> SessionWorkspace:
        """The session's workspace, a new one where there is none or its sandbox has failed.

        Raises:
            SandboxError: Nothing can confine commands on this machine.
        """
        self._shared.start()
        if self._workspace is not None and not self._workspace.usable:
            self._workspace.close()
            self._workspace = None
        if self._workspace is None:
            self._workspace = SessionWorkspace(self._shared)
        return self._workspace
