"""What confines is chosen by trying; where nothing works nothing is run."""

from __future__ import annotations

import os

import pytest

from openenv_gym.errors import SandboxError, UsageError
from openenv_gym.sandbox import Mount, SandboxSpec, available, open_sandbox, selection, why_not


def test_both_mechanisms_work_here() -> None:
    reasons = {mechanism: why_not(mechanism) for mechanism in ("bubblewrap", "landlock")}
    assert reasons == {"bubblewrap": None, "landlock": None}, "apt-get install bubblewrap"
    assert available() == ("bubblewrap", "landlock")


def test_bubblewrap_is_preferred() -> None:
    with open_sandbox(SandboxSpec()) as sandbox:
        assert sandbox.mechanism == "bubblewrap"


@pytest.fixture
def without_bubblewrap(monkeypatch, tmp_path):
    monkeypatch.setattr(selection, "_failures", {})
    monkeypatch.setenv("PATH", str(tmp_path))


def test_landlock_is_taken_where_bubblewrap_is_missing(without_bubblewrap) -> None:
    with open_sandbox(SandboxSpec()) as sandbox:
        assert sandbox.mechanism == "landlock"
        assert sandbox.run(["echo", "on"]).stdout == b"on\n"


def test_a_missing_bubblewrap_says_what_to_install(without_bubblewrap) -> None:
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        open_sandbox(SandboxSpec(), "bubblewrap")


def test_nothing_is_run_where_nothing_confines(without_bubblewrap, monkeypatch) -> None:
    monkeypatch.setattr("openenv_gym.sandbox.inside.landlock.abi", lambda: 0)
    assert available() == ()
    with pytest.raises(SandboxError, match=r"install bubblewrap.*Landlock"):
        open_sandbox(SandboxSpec())


def test_a_bubblewrap_that_does_not_work_is_not_available(monkeypatch, tmp_path) -> None:
    """As in a container that refuses namespaces."""
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: Creating new namespace failed: Operation not permitted' >&2; exit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(selection, "_failures", {})
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert available() == ("landlock",)
    assert "Operation not permitted" in str(why_not("bubblewrap"))


def test_no_confinement_has_to_be_asked_for_by_name() -> None:
    with open_sandbox(SandboxSpec(), "none") as sandbox:
        assert sandbox.mechanism == "none"
        assert sandbox.run(["sh", "-c", "sleep 60"], timeout=0.2).timed_out


def test_unknown_mechanisms_are_refused() -> None:
    with pytest.raises(UsageError, match="bubblewrap, landlock"):
        open_sandbox(SandboxSpec(), "docker")  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["relative", "/", "/a/../b"])
def test_mount_targets_are_absolute_paths_below_the_root(tmp_path, target) -> None:
    with pytest.raises(UsageError):
        Mount(tmp_path, target)


def test_mounts_have_targets_of_their_own(tmp_path) -> None:
    with pytest.raises(UsageError):
        SandboxSpec(mounts=(Mount(tmp_path, "/a"), Mount(tmp_path, "/a")))
    with pytest.raises(UsageError):
        SandboxSpec(mounts=(Mount(tmp_path, "/tmp"),))


def test_a_mount_source_has_to_be_a_folder(tmp_path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        open_sandbox(SandboxSpec(mounts=(Mount(tmp_path / "none", "/a"),)))
