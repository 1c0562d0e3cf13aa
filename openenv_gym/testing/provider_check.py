"""`check_provider`: the contract of providers as one call, for a script or another test framework."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.testing.provider_contract import Attempt, ProviderContract

# What each way to fail is needed for, beside its own test.
_NEEDS = {
    "cannot_start": ["test_what_cannot_be_started_is_reported"],
    "dies_at_once": ["test_what_dies_at_once_is_reported_with_the_end_of_its_log"],
    "never_ready": [
        "test_what_never_answers_meets_the_deadline",
        "test_stop_ends_a_start_that_hangs",
        "test_a_cancelled_start_leaves_nothing",
        "test_an_interrupted_start_leaves_nothing",
    ],
}


class _Given(ProviderContract):
    """The contract of what `check_provider` is given."""

    def __init__(
        self,
        make_provider: Callable[[], Provider],
        spec: ServerSpec,
        ways: Mapping[str, Callable[..., Attempt] | None],
        use: Callable[[Endpoint], None] | None,
        leftovers: Callable[[str], Collection[str]] | None,
    ) -> None:
        self.spec = spec
        self._make_provider = make_provider
        self._ways = ways
        self._use = use or super().use
        self._leftovers = leftovers or super().leftovers

    def make_provider(self) -> Provider:
        return self._make_provider()

    def cannot_start(self) -> Attempt:
        return self._fail("cannot_start")

    def dies_at_once(self) -> Attempt:
        return self._fail("dies_at_once")

    def never_ready(self, timeout: float) -> Attempt:
        return self._fail("never_ready", timeout)

    def use(self, endpoint: Endpoint) -> None:
        self._use(endpoint)

    def leftovers(self, mark: str) -> Collection[str]:
        return self._leftovers(mark)

    def _fail(self, way: str, *arguments: float) -> Attempt:
        make = self._ways[way]
        assert make is not None, "the tests that need it are left out"
        return make(*arguments)


def check_provider(
    make_provider: Callable[[], Provider],
    spec: ServerSpec,
    *,
    cannot_start: Callable[[], Attempt] | None = None,
    dies_at_once: Callable[[], Attempt] | None = None,
    never_ready: Callable[[float], Attempt] | None = None,
    use: Callable[[Endpoint], None] | None = None,
    leftovers: Callable[[str], Collection[str]] | None = None,
) -> list[str]:
    """Check that a provider keeps what `openenv_gym.providers.Provider` promises, with real servers.

    For pytest subclass `ProviderContract` instead, which has a test for each promise. A provider that cannot
    show a way to fail leaves out what is tested by it::

        check_provider(MyProvider, ServerSpec(image="echo-env:latest"))

    Args:
        make_provider: Makes a new provider.
        spec: What starts and can be used.
        cannot_start: See `ProviderContract.cannot_start`.
        dies_at_once: See `ProviderContract.dies_at_once`.
        never_ready: See `ProviderContract.never_ready`.
        use: See `ProviderContract.use`.
        leftovers: See `ProviderContract.leftovers`.

    Returns:
        The names of the tests of `ProviderContract` that were run, all of which passed.

    Raises:
        ExceptionGroup: What was broken, one exception a promise.
    """
    ways = {"cannot_start": cannot_start, "dies_at_once": dies_at_once, "never_ready": never_ready}
    contract = _Given(make_provider, spec, ways, use, leftovers)
    left_out = {test for way, tests in _NEEDS.items() if ways[way] is None for test in tests}
    tests = [name for name in vars(ProviderContract) if name.startswith("test_") and name not in left_out]
    broken = []
    for name in tests:
        try:
            getattr(contract, name)()
        except Exception as error:  # noqa: BLE001 - told below, with all the others
            error.add_note(f"in {name}")
            broken.append(error)
    if broken:
        kind = type(make_provider()).__name__
        raise ExceptionGroup(f"{kind} breaks {len(broken)} of {len(tests)} promises", broken)
    return tests
