"""Attack by attack, none gets out: each mechanism, for a root and for an unprivileged owner."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sandbox_scene

from openenv_gym.sandbox import open_sandbox

REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534

# gymnasium may be out of that user's reach, and the sandbox does not need it.
OWNER = """
import runpy, sys, types
package = types.ModuleType("openenv_gym")
package.__path__ = [sys.argv[1] + "/openenv_gym"]
sys.modules["openenv_gym"] = package
sys.path.insert(0, sys.argv[1])
del sys.argv[1]
runpy.run_path(sys.path[0] + "/sandbox_scene.py", run_name="__main__")
"""


@functools.cache
def attacked_as_nobody() -> dict[str, dict[str, str]]:
    """Every mechanism under attack, with an unprivileged owner: mechanism -> attack -> what came of it."""
    with sandbox_scene.folder() as base:
        shutil.copytree(REPOSITORY / "openenv_gym/sandbox", base / "openenv_gym/sandbox")
        shutil.copy(REPOSITORY / "openenv_gym/errors.py", base / "openenv_gym")
        for name in ("sandbox_scene.py", "sandbox_attacks.py"):
            shutil.copy(Path(__file__).with_name(name), base)
        subprocess.run(["chmod", "-R", "a+rX", base], check=True)
        completed = subprocess.run(
            [python_for(NOBODY), "-B", "-c", OWNER, str(base), *sandbox_scene.MECHANISMS],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
        )
    assert completed.returncode == 0, completed.stderr.decode()
    results: dict[str, dict[str, str]] = json.loads(completed.stdout)
    return results


def python_for(user: int) -> str:
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([candidate, "-c", "pass"], user=user, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    raise AssertionError("no Python that other users can run: install python3 (apt-get install python3)")


def breaches(results: dict[str, str]) -> dict[str, str]:
    assert len(results) > 60
    return {name: result for name, result in results.items() if not result.startswith("refused")}


@pytest.mark.parametrize("mechanism", sandbox_scene.MECHANISMS)
def test_no_attack_gets_out(mechanism: str) -> None:
    assert breaches(sandbox_scene.attack_by(mechanism)) == {}


if os.geteuid() == 0:  # an unprivileged owner is tested by the test above

    @pytest.mark.parametrize("mechanism", sandbox_scene.MECHANISMS)
    def test_no_attack_gets_out_of_an_unprivileged_owners_sandbox(mechanism: str) -> None:
        assert breaches(attacked_as_nobody()[mechanism]) == {}


def test_the_attacks_work_where_nothing_confines(base: Path) -> None:
    """Else the tests above would prove nothing. Only those that break nothing but the scene."""
    harmless = [
        "connect_to_the_owners_tcp_port",
        "send_a_datagram_to_the_owner",
        "connect_to_an_abstract_unix_socket",
        "connect_to_a_unix_socket_by_path",
        "read_a_secret_outside",
        "see_the_hosts_users",
        "find_the_owners_secret_in_an_environment",
        "see_the_owner_in_proc",
        "change_a_read_only_mount",
        "write_to_a_file_outside",
        "truncate_a_file_outside",
        "remove_a_file_outside",
        "walk_up_from_the_workspace",
        "syscall_memfd_create",
    ]
    scene = sandbox_scene.Scene(base)
    try:
        with open_sandbox(scene.spec(), "none") as sandbox:
            results = scene.attempt(sandbox, harmless)
    finally:
        scene.close()
    assert {name for name, result in results.items() if result.startswith("BREACH")} == set(harmless)
