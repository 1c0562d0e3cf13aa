"""The BrowserGym environment itself: a session's browser, and episodes of any task in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from browsergym_env.models import BrowserGymAction, BrowserGymObservation, BrowserGymState
from browsergym_env.server.report import split_report
from browsergym_env.server.served_observation import ObservationWithoutScreenshot, ObservationWithScreenshot
from browsergym_env.server.settings import BrowserGymSettings
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment

if TYPE_CHECKING:
    from browsergym_env.server.benchmarks import Benchmark
    from browsergym_env.server.chromium import Chromium
    from browsergym_env.server.warm_browser_env import WarmBrowserEnv

VERSION = "0.1.0"
_SEEDS = 2**32  # numpy.random.RandomState takes no more


class BrowserGymEnvironment(Environment[BrowserGymAction, BrowserGymObservation, BrowserGymState]):
    """Web tasks in a real browser; an episode starts with an empty profile, and ends as its task says."""

    SUPPORTS_CONCURRENT_SESSIONS = False  # of one process: Playwright and BrowserGym keep state in theirs
    EXECUTION = "process"

    def __init__(self, settings: BrowserGymSettings | None = None) -> None:
        super().__init__()
        self._settings = settings or BrowserGymSettings.from_environ()
        self._state = BrowserGymState(benchmark=self._settings.benchmark)
        self._benchmark: Benchmark | None = None
        self._browser: Chromium | None = None
        try:
            self._env = self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> WarmBrowserEnv:
        # Not above: the server itself, which makes no environment, needs neither Playwright nor BrowserGym.
        from browsergym_env.server.actions import ActionSet
        from browsergym_env.server.benchmarks import Benchmark
        from browsergym_env.server.chromium import Chromium
        from browsergym_env.server.warm_browser_env import WarmBrowserEnv

        self._benchmark = Benchmark(self._settings)
        self._browser = Chromium(self._settings, self._benchmark.reach)
        return WarmBrowserEnv(self._browser, ActionSet(self._benchmark.reach), self._settings)

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self, seed: int | None = None, episode_id: str | None = None, task_name: str | None = None
    ) -> BrowserGymObservation:
        """Start an episode, with no cookies, storage or pages of the last.

        Args:
            seed: Equal seeds give equal episodes where BrowserGym's task does, as MiniWoB's do.
            episode_id: The episode's id.
            task_name: A task of the server's benchmark; ``None`` for the server's own default.

        Raises:
            InvalidActionError: There is no such task.
        """
        assert self._benchmark is not None
        name = task_name or self._settings.task_name or self._benchmark.first_task
        make_task = self._benchmark.entry_point(name)
        observed, info = self._env.reset_to(make_task, None if seed is None else seed % _SEEDS)
        self._state = BrowserGymState(
            episode_id=episode_id or str(uuid4()),
            benchmark=self._benchmark.name,
            task_name=name,
            task_id=name if name.isdecimal() else None,
        )
        return self._observation(observed, info, reward=0.0, done=False)

    def step(  # type: ignore[override]
        self, action: BrowserGymAction, timeout_s: float | None = None
    ) -> BrowserGymObservation:
        """Carry out an action. One that fails says so in ``error``; the episode goes on."""
        observed, reward, terminated, truncated, info = self._env.step(action.action_str)
        self._state.step_count += 1
        self._state.cum_reward += float(reward)
        observation = self._observation(observed, info, reward=float(reward), done=terminated or truncated)
        observation.truncated = truncated and not terminated
        return observation

    def _observation(
        self, observed: dict[str, Any], info: dict[str, Any], *, reward: float, done: bool
    ) -> BrowserGymObservation:
        from browsergym.utils.obs import flatten_axtree_to_str, flatten_dom_to_str, prune_html

        tree = flatten_axtree_to_str(observed.pop("axtree_object"))
        html = prune_html(flatten_dom_to_str(observed.pop("dom_object")))
        picture = {"screenshot": observed.pop("screenshot")} if self._settings.include_screenshot else {}
        goal, url, error = observed["goal"], observed["url"], observed["last_action_error"]
        metadata, self._state.clock = split_report(observed, info)
        self._state.goal, self._state.current_url = goal, url
        served = ObservationWithScreenshot if picture else ObservationWithoutScreenshot
        return served(
            text=tree or html,
            url=url,
            **picture,
            goal=goal,
            axtree_txt=tree,
            pruned_html=html,
            error=error,
            last_action_error=bool(error),
            reward=reward,
            done=done,
            metadata=metadata,
        )

    @property
    def state(self) -> BrowserGymState:
        """The episode's task, where its pages are, and the rewards so far."""
        return self._state

    def close(self) -> None:
        """End the browser, and remove what it wrote."""
        if self._browser is not None:
            self._browser.close()
            self._browser = None
        if self._benchmark is not None:
            self._benchmark.close()
            self._benchmark = None

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="browsergym_env",
            description="Web tasks in a real browser, MiniWoB's and other benchmarks of BrowserGym",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
            documentation_url="https://github.com/ServiceNow/BrowserGym",
        )
