"""What every provider promises, as tests: subclass `ProviderContract` and pytest runs them.

`openenv_gym.testing.check_provider` runs the same without pytest, which this module does without too.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.client.schemas import fetch_health, fetch_schema
from openenv_gym.errors import ClosedError, PeerError, ProviderError, StartupError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.testing.marked_processes import VARIABLE, marked_processes

_TOKEN_SHOWN = re.compile(r"OPENENV_GYM_TOKEN['\":=\s]+[\w-]{20,}")
_P = ParamSpec("_P")
_T = TypeVar("_T")

# Starts what it is given and waits to be killed.
_OWNER = """
import pickle, sys, time
sys.path[:] = pickle.load(sys.stdin.buffer)
provider, spec = pickle.load(sys.stdin.buffer)
provider.start(spec)
print("up", flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True)
class Attempt:
    """A start that is to fail.

    Attributes:
        provider: A new one.
        spec: What to start with it.
        says: A regular expression that the error's message has to match.
    """

    provider: Provider
    spec: ServerSpec
    says: str = ""


class ProviderContract(ABC):
    """The tests of one provider, on real servers::

        class TestProcessProvider(ProviderContract):
            spec = ServerSpec(app="echo_env.server.app:app")

            def make_provider(self):
                return ProcessProvider(ready_timeout=self.patience)

            def cannot_start(self):
                return Attempt(self.make_provider(), ServerSpec(app="no_such_module:app"), "no_such_module")

            def dies_at_once(self):
                exits = ServerSpec(app="openenv_gym.testing.unsound_apps:exits")
                return Attempt(self.make_provider(), exits, "this app ends before it serves")

            def never_ready(self, timeout):
                hangs = ServerSpec(app="openenv_gym.testing.unsound_apps:hangs")
                return Attempt(ProcessProvider(ready_timeout=timeout), hangs)

    Each server that is started gets an environment variable with a random mark, by which
    what is left of it is found.

    Attributes:
        spec: What starts and can be used.
        patience: Seconds for anything that is to happen soon.
        side_by_side: How many servers are started at once.
        ends_with_owner: Whether servers end when the process that started them is killed. It is promised;
            ``False`` is for providers of other machines, whose leases outlast the tests.
    """

    spec: ServerSpec
    patience: ClassVar[float] = 120.0
    side_by_side: ClassVar[int] = 4
    ends_with_owner: ClassVar[bool] = True

    @abstractmethod
    def make_provider(self) -> Provider:
        """Make a new provider, which is patient enough for `spec` on a busy machine."""

    @abstractmethod
    def cannot_start(self) -> Attempt:
        """Name what there is no such thing of: a module, a program, an image."""

    @abstractmethod
    def dies_at_once(self) -> Attempt:
        """Name a server that ends before it answers; ``says`` is to match the end of its log."""

    @abstractmethod
    def never_ready(self, timeout: float) -> Attempt:
        """Name a server that stays silent, with a provider that gives it so many seconds."""

    def use(self, endpoint: Endpoint) -> None:
        """Play a little: reset, and one random step."""
        with closing(RemoteEnv(endpoint.base_url, token=endpoint.token)) as env:
            env.action_space.seed(1)
            env.reset(seed=1)
            env.step(env.action_space.sample())

    def leftovers(self, mark: str) -> Collection[str]:
        """Describe what exists of servers with the mark ``OPENENV_GYM_CHECK=mark`` in their environment.

        By default the processes of this machine. Whoever starts more than processes adds it.
        """
        return marked_processes(mark)

    # --- the contract ----------------------------------------------------------------------------------

    def test_a_server_starts_serves_and_stops(self) -> None:
        with self._marked(self.spec) as (spec, mark), self.make_provider() as provider:
            assert isinstance(provider.logs(), str), "logs() is for every state, before the start too"
            _assert_state(provider, "ended")
            endpoint = provider.start(spec)
            _assert_state(provider, "running")
            fetch_health(endpoint)
            self.use(endpoint)
            assert self.leftovers(mark), "leftovers() does not find a running server"
            _assert_hidden(endpoint, provider)
            provider.stop()
            assert not _answers(endpoint), "the server answers after stop()"
            _assert_state(provider, "ended")
            self._assert_nothing_left(mark)
            provider.stop()
            assert provider.logs(), "the log is gone with the server"
            _assert_hidden(endpoint, provider)
            with _raises(ClosedError, "a start after stop()"):
                provider.start(spec)

    def test_a_second_start_is_refused_and_harms_nothing(self) -> None:
        with self._marked(self.spec) as (spec, mark), self.make_provider() as provider:
            # The first is made by a thread that has ended before the server is used.
            endpoint = _in_thread(provider.start, spec).result(self.patience)
            with _raises(UsageError, "a second start()") as caught:
                provider.start(spec)
            assert not isinstance(caught[0], ClosedError), "the server runs: nothing is closed"
            self.use(endpoint)
            provider.kill()
            assert not _answers(endpoint), "the server answers after kill()"
            self._assert_nothing_left(mark)

    def test_stop_before_start_keeps_a_late_start_from_leaving_a_server(self) -> None:
        with self._marked(self.spec) as (spec, mark), self.make_provider() as provider:
            provider.stop()
            with _raises(ClosedError, "a start after stop()"):
                provider.start(spec)
            self._assert_nothing_left(mark)

    def test_what_cannot_be_started_is_reported(self) -> None:
        self._assert_fails(self.cannot_start(), ProviderError, UsageError)

    def test_what_dies_at_once_is_reported_with_the_end_of_its_log(self) -> None:
        attempt = self.dies_at_once()
        error = self._assert_fails(attempt, StartupError)
        assert isinstance(error, StartupError)
        assert error.log_tail, "the error has no log_tail"
        assert re.search(attempt.says, attempt.provider.logs()), "logs() has lost the last words"

    def test_what_never_answers_meets_the_deadline(self) -> None:
        self._assert_fails(self.never_ready(1.0), StartupError)

    def test_stop_ends_a_start_that_hangs(self) -> None:
        attempt = self.never_ready(self.patience)
        with self._marked(attempt.spec) as (spec, mark):
            start = _in_thread(attempt.provider.start, spec)
            try:
                self._await_something(mark, start)
            finally:
                attempt.provider.stop()
            with _raises(ProviderError, "a start that was stopped"):
                start.result(self.patience)
            self._assert_nothing_left(mark)

    def test_stop_ends_a_start_at_any_moment(self) -> None:
        began = time.monotonic()
        with self._marked(self.spec) as (spec, mark), self.make_provider() as provider:
            provider.start(spec)
            whole = time.monotonic() - began
        for part in (0.0, 0.2, 0.6):
            provider = self.make_provider()
            with self._marked(self.spec) as (spec, mark):
                start = _in_thread(provider.start, spec)
                threading.Event().wait(part * whole)
                provider.stop()
                error = start.exception(self.patience)
                allowed = error is None or isinstance(error, ProviderError | ClosedError)
                assert allowed, f"a start that was stopped raised {error!r}"
                self._assert_nothing_left(mark)
                provider.stop()

    def test_a_cancelled_start_leaves_nothing(self) -> None:
        attempt = self.never_ready(self.patience)

        async def cancel(spec: ServerSpec, mark: str) -> None:
            start = asyncio.create_task(asyncio.to_thread(attempt.provider.start, spec))
            try:
                await asyncio.to_thread(self._await_something, mark, start)
            finally:
                start.cancel()
                await asyncio.gather(start, return_exceptions=True)
                await asyncio.to_thread(attempt.provider.stop)
            assert start.cancelled()

        with self._marked(attempt.spec) as (spec, mark):
            asyncio.run(cancel(spec, mark))
            self._assert_nothing_left(mark)

    def test_an_interrupted_start_leaves_nothing(self) -> None:
        main = threading.main_thread()
        if threading.current_thread() is not main:
            return  # signals are for the main thread alone
        attempt = self.never_ready(self.patience)

        def interrupt(mark: str, over: Future[None]) -> None:
            self._await_something(mark, over)
            if not over.done():
                assert main.ident is not None
                signal.pthread_kill(main.ident, signal.SIGINT)

        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with self._marked(attempt.spec) as (spec, mark):
                over: Future[None] = Future()
                interrupting = _in_thread(interrupt, mark, over)
                with _raises(KeyboardInterrupt, "a start on Ctrl-C"):
                    try:
                        attempt.provider.start(spec)
                    finally:
                        over.set_result(None)
                interrupting.result(self.patience)
                self._assert_nothing_left(mark)
        finally:
            signal.signal(signal.SIGINT, handler)
            attempt.provider.stop()

    def test_providers_start_side_by_side(self) -> None:
        providers = [self.make_provider() for _ in range(self.side_by_side)]
        with self._marked(self.spec) as (spec, mark), ThreadPoolExecutor(self.side_by_side) as pool:
            try:
                endpoints = list(pool.map(lambda provider: provider.start(spec), providers))
                _assert_distinct(endpoints)
                list(pool.map(self.use, endpoints))
            finally:
                list(pool.map(lambda provider: provider.stop(), providers))
            self._assert_nothing_left(mark)

    def test_copies_are_new_providers(self) -> None:
        with self._marked(self.spec) as (spec, mark):
            with self.make_provider() as provider:
                endpoint = provider.start(spec)
                with pickle.loads(pickle.dumps(provider)) as twin:
                    _assert_distinct([endpoint, twin.start(spec)])
                self.use(endpoint)
            with copy.copy(provider) as later:  # of one that was stopped
                later.start(spec)
            self._assert_nothing_left(mark)

    def test_nothing_outlives_a_killed_owner(self) -> None:
        if not self.ends_with_owner:
            return
        with self._marked(self.spec) as (spec, mark):
            owner = subprocess.Popen(
                [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            with owner:
                try:
                    assert owner.stdin is not None and owner.stdout is not None
                    owner.stdin.write(pickle.dumps(sys.path) + pickle.dumps((self.make_provider(), spec)))
                    owner.stdin.close()
                    assert owner.stdout.readline() == b"up\n", "the provider does not start in a new process"
                    assert self.leftovers(mark), "leftovers() does not find a running server"
                finally:
                    owner.kill()
            self._await(lambda: not self.leftovers(mark), lambda: f"left: {list(self.leftovers(mark))}")

    def test_nothing_is_held_in_this_process(self) -> None:
        def once() -> None:
            with self._marked(self.spec) as (spec, _), self.make_provider() as provider:
                self.use(provider.start(spec))

        once()  # what is opened once and kept is open now
        held = _held()
        once()
        self._await(
            lambda: all(now <= before for now, before in zip(_held(), held, strict=True)),
            lambda: f"{held} descriptors and threads before, {_held()} after",
        )

    # --- how it is checked -----------------------------------------------------------------------------

    @contextmanager
    def _marked(self, spec: ServerSpec) -> Iterator[tuple[ServerSpec, str]]:
        mark = secrets.token_hex(8)
        yield replace(spec, environ={**spec.environ, VARIABLE: mark}), mark

    def _assert_nothing_left(self, mark: str) -> None:
        left = list(self.leftovers(mark))
        assert not left, f"left behind: {left}"

    def _assert_fails(self, attempt: Attempt, *errors: type[Exception]) -> Exception:
        """Check that the start fails with one of the errors and leaves nothing; the error."""
        with self._marked(attempt.spec) as (spec, mark):
            with _raises(errors, "the start") as caught:
                attempt.provider.start(spec)
            self._assert_nothing_left(mark)
            shown = str(caught[0])
            assert re.search(attempt.says, shown), f"{attempt.says!r} is not in the message: {shown}"
            assert not _TOKEN_SHOWN.search(shown + attempt.provider.logs()), "the log shows the token"
            attempt.provider.stop()
            with _raises(UsageError, "a start after one that failed"):
                attempt.provider.start(spec)
            self._assert_nothing_left(mark)
        return caught[0]

    def _await_something(self, mark: str, start: Future[Any] | asyncio.Task[Any]) -> None:
        """Return when a server with the mark exists, or its start is over."""
        self._await(lambda: start.done() or bool(self.leftovers(mark)), lambda: "nothing is started")

    def _await(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        give_up_at = time.monotonic() + self.patience
        while not holds():
            assert time.monotonic() < give_up_at, otherwise()
            time.sleep(0.02)


@contextmanager
def _raises(
    kinds: type[BaseException] | tuple[type[BaseException], ...], what: str
) -> Iterator[list[Exception]]:
    """Check that the block raises one of these; it is put into the list that is yielded."""
    caught: list[Any] = []
    try:
        yield caught
    except kinds as error:
        caught.append(error)
    except Exception as error:
        raise AssertionError(f"{what} raised {error!r}, not one of {kinds}") from error
    assert caught, f"{what} raised nothing"


def _assert_hidden(endpoint: Endpoint, provider: Provider) -> None:
    if endpoint.token is not None:
        for shown in (repr(endpoint), repr(provider), provider.logs()):
            assert endpoint.token not in shown, "the token is shown"


def _assert_state(provider: Provider, status: str) -> None:
    told = provider.state().status
    assert told in (status, "unknown"), f"state() says {told!r}, and the server is {status}"


def _assert_distinct(endpoints: Collection[Endpoint]) -> None:
    urls = {endpoint.base_url for endpoint in endpoints}
    assert len(urls) == len(endpoints), f"servers share an address: {sorted(urls)}"
    tokens = [endpoint.token for endpoint in endpoints if endpoint.token is not None]
    assert len(set(tokens)) == len(tokens), "servers share a token"


def _answers(endpoint: Endpoint) -> bool:
    """Whether a server takes the token there; another test's server may have got the port by now."""
    try:
        fetch_schema(endpoint, timeout=2.0)
    except PeerError:
        return False
    return True


def _held() -> tuple[int, int]:
    """How many descriptors and threads this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count()


def _in_thread(work: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> Future[_T]:
    """Call in a thread of its own, which ends with the call."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work, *arguments, **options)
    pool.shutdown(wait=False)
    return future
