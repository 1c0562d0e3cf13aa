"""Attacks on the Git environment, one by one, through the environment itself: none gets through.

Every attack is told to touch PWNED wherever it can, or to show a secret that lies outside; afterwards
everything is searched. Where something was planted, the agent first runs ordinary commands to set it off.
"""

from __future__ import annotations

import logging
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

import pytest

from git_env.host import GitHost
from git_env.server.git_environment import GitEnvironment
from git_env.server.shared_state import SharedState
from tests.envs.git.agent import Agent
from tests.envs.git.hostile_input import COMMANDS, GIT_PATHS, OUTSIDE_PATHS

SECRET = "secret-that-lies-outside-4711"
TRIGGERS = ("status", "add -A", "commit -m trigger", "log -p -1", "checkout -f main", "fetch")

both_mechanisms = pytest.mark.parametrize("shared", ["bubblewrap", "landlock"], indirect=True)


@dataclass(frozen=True)
class Lair:
    """What attacks aim at.

    Attributes:
        outside: A directory of the host that sandboxes must not reach.
        payload: A program that touches PWNED in its directory and outside, and prints the secret.
        workspace: The real directory behind the agent's workspace.
    """

    outside: Path
    payload: str
    workspace: Path

    def touched(self) -> list[Path]:
        places = (self.outside, self.workspace)
        return [path for place in places for path in place.rglob("*") if path.name == "PWNED"]


_untouched: WeakSet[GitEnvironment] = WeakSet()


@pytest.fixture
def agent(env: GitEnvironment) -> Iterator[Agent]:
    """An agent in a fresh episode; one in which every action was refused so far is still fresh."""
    agent = Agent(env)
    if env not in _untouched:
        agent.start(task_id="tip")
        agent.seen.clear()
    yield agent
    if any(observation.success for observation in agent.seen):
        _untouched.discard(env)
    else:
        _untouched.add(env)


@pytest.fixture
def lair(agent: Agent, tmp_path: Path) -> Lair:
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n{SECRET}\n")
    (tmp_path / "other").mkdir()
    payload = f"touch PWNED {tmp_path}/PWNED; cat {tmp_path}/secret.txt"
    workspace = agent.env._workspace
    assert workspace is not None
    return Lair(tmp_path, payload, workspace.root)


@pytest.fixture
def nothing_got_through(
    agent: Agent, lair: Lair, host: GitHost, shared: SharedState, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    before = sorted(lair.outside.rglob("*"))
    yield
    assert lair.touched() == []
    assert sorted(lair.outside.rglob("*")) == before
    shown = "\n".join(observation.model_dump_json() for observation in agent.seen)
    assert SECRET not in shown
    assert "root:x:0:0" not in shown
    private = str(shared.directory)
    assert private not in shown or any(private in text for text in agent.sent)
    token = b64encode(f"{host.username}:{host.password}".encode()).decode()
    files = [path for path in lair.workspace.rglob("config") if path.is_file()]
    stored = "\n".join(path.read_text(errors="replace") for path in files)
    for credential in (host.password, token):
        assert credential not in shown
        assert credential not in caplog.text
        assert credential not in stored


@pytest.mark.usefixtures("nothing_got_through")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_command_is_refused(agent: Agent, lair: Lair, command: str) -> None:
    observation = agent.git(
        command.replace("{payload}", lair.payload).replace("{outside}", str(lair.outside))
    )
    assert not observation.success
    assert observation.error


def patch_with_link(name: str, target: str) -> str:
    """A patch that adds a symbolic link, the one way to make one with git alone."""
    return (
        f"diff --git a/{name} b/{name}\nnew file mode 120000\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n"
        f"+{target}\n\\ No newline at end of file\n"
    )


def patch_with_file(name: str, content: str) -> str:
    lines = content.splitlines()
    added = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{name} b/{name}\nnew file mode 100755\n--- /dev/null\n+++ b/{name}\n"
        f"@@ -0,0 +1,{len(lines)} @@\n{added}"
    )


def link(agent: Agent, name: str, target: str) -> None:
    """Have a symbolic link in the work tree."""
    agent.write("project/link.patch", patch_with_link(name, target))
    agent.run("apply link.patch")


@both_mechanisms
@pytest.mark.usefixtures("nothing_got_through")
class TestPlanting:
    """Attacks in several steps: plant something, then run ordinary commands."""

    @pytest.fixture(autouse=True)
    def set_off(self, agent: Agent, nothing_got_through: None) -> Iterator[None]:
        yield
        for trigger in TRIGGERS:
            agent.git(trigger)

    @pytest.fixture
    def evil_config(self, agent: Agent, lair: Lair) -> str:
        """A tracked file that would be a configuration, if it became one."""
        text = f'[core]\n\tfsmonitor = "{lair.payload};:"\n\thooksPath = /workspace/project\n'
        agent.write("project/config", text)
        agent.write("project/pre-commit", f"#!/bin/sh\n{lair.payload}\n")
        agent.run("add -A")
        return text

    @pytest.mark.parametrize(
        "target", [".git/config", "./.git/config", "docs/../.git/config", ".GIT/config", ".git/hooks/x"]
    )
    def test_moving_a_file_over_the_configuration(self, agent: Agent, evil_config: str, target: str) -> None:
        assert not agent.git(f"mv -f config {target}").success
        assert not agent.git(f"mv -f config /workspace/project/{target}").success
        assert "fsmonitor" not in agent.run("config --list")

    def test_moving_a_file_through_a_link(self, agent: Agent, evil_config: str) -> None:
        link(agent, "door", ".git")
        agent.run("add door")
        for command in (
            "mv -f config door/config",
            "mv -f config door",
            "mv -f config door/",
            "mv config door/x",
        ):
            assert not agent.git(command).success
        assert "fsmonitor" not in agent.run("config --list")

    def test_moving_a_file_through_a_chain_of_links(self, agent: Agent, evil_config: str) -> None:
        link(agent, "inner", ".git")
        link(agent, "docs/outer", "../inner")
        agent.run("add -A")
        assert not agent.git("mv -f config docs/outer/config").success
        assert not agent.git("mv -f ../config outer/config", "project/docs").success

    @pytest.mark.parametrize(
        "name", [".git/config", ".git/hooks/pre-commit", ".GIT/config", "../PWNED", "/tmp/PWNED"]
    )
    def test_a_patch_that_writes_elsewhere(self, agent: Agent, lair: Lair, name: str) -> None:
        agent.write("project/evil.patch", patch_with_file(name, lair.payload))
        # Other than on file systems that ignore case, .GIT is a name like any other: git decides.
        if name != ".GIT/config":
            assert not agent.git("apply evil.patch").success
        assert not agent.git("apply --index evil.patch").success
        assert not agent.git("am evil.patch").success

    def test_a_patch_that_makes_a_link_and_writes_through_it(self, agent: Agent, lair: Lair) -> None:
        patch = patch_with_link("door", ".git") + patch_with_file("door/config", lair.payload)
        agent.write("project/evil.patch", patch)
        assert not agent.git("apply evil.patch").success

    def test_a_patch_that_makes_a_link_out_and_writes_through_it(self, agent: Agent, lair: Lair) -> None:
        link(agent, "out", str(lair.outside))
        agent.write("project/evil.patch", patch_with_file("out/PWNED", "x"))
        assert not agent.git("apply evil.patch").success

    def test_a_stash_or_a_branch_that_writes_through_a_link(self, agent: Agent, lair: Lair) -> None:
        agent.run("checkout -b other")
        agent.write("project/out/PWNED", "x\n")
        agent.run("add -A")
        agent.run("commit -m tree")
        agent.run("checkout main")
        link(agent, "out", str(lair.outside))
        agent.git("checkout other -- out/PWNED")
        agent.git("merge other")
        agent.git("restore --source=other out/PWNED")

    @pytest.mark.parametrize("where", ["project/bare", "project", "elsewhere"])
    def test_a_planted_bare_repository(self, agent: Agent, lair: Lair, where: str) -> None:
        config = f'[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = "{lair.payload};:"\n'
        agent.write(f"{where}/HEAD", "ref: refs/heads/main\n")
        agent.write(f"{where}/config", config)
        agent.write(f"{where}/objects/x", "")
        agent.write(f"{where}/refs/x", "")
        agent.git("status", where)
        agent.git("fetch", where)
        agent.git("commit -m x", where)

    def test_attributes_that_name_drivers(self, agent: Agent, lair: Lair) -> None:
        agent.write("project/.gitattributes", "* filter=pwn diff=pwn merge=pwn ident text=auto eol=crlf\n")
        agent.write("project/.gitconfig", f'[filter "pwn"]\n\tclean = "{lair.payload}"\n')
        agent.run("add -A")
        agent.run("commit -m attributes")
        agent.run("diff HEAD~1")

    def test_submodules(self, agent: Agent) -> None:
        agent.write(
            "project/.gitmodules",
            '[submodule "docs"]\n\tpath = docs\n\turl = ext::sh -c touch% PWNED\n\tupdate = !touch PWNED\n',
        )
        agent.run("add -A")
        agent.run("commit -m modules")
        agent.git("pull")
        agent.git("checkout --recurse-submodules main")

    def test_a_hook_in_the_work_tree(self, agent: Agent, lair: Lair) -> None:
        agent.write("project/hook.patch", patch_with_file("hooks/pre-commit", f"#!/bin/sh\n{lair.payload}"))
        agent.run("apply hook.patch")
        agent.git("config core.hooksPath hooks")
        agent.run("add -A")
        agent.run("commit -m hooks")

    def test_a_configuration_written_behind_the_policy_s_back(self, agent: Agent, lair: Lair) -> None:
        config = lair.workspace / "project" / ".git" / "config"
        config.write_text(config.read_text() + f'[filter "pwn"]\n\tclean = {lair.payload!r}\n')
        refused = agent.git("status")
        assert "tampered" in refused.error
        assert agent.start(task_id="tip").success
        assert agent.git("status").success

    @pytest.mark.parametrize("name", ["commondir", "config"])
    def test_a_git_directory_that_points_elsewhere(self, agent: Agent, lair: Lair, name: str) -> None:
        git_dir = lair.workspace / "project" / ".git"
        (git_dir / name).unlink(missing_ok=True)
        (git_dir / name).symlink_to(lair.outside / "secret.txt")
        assert "no longer a repository" in agent.git("status").error
        assert agent.start(task_id="tip").success

    def test_paths_that_look_like_shell(self, agent: Agent) -> None:
        agent.git("bisect start HEAD HEAD~2 -- '$(touch PWNED)' '`touch PWNED`' '; touch PWNED'")
        for command in ("bisect good", "bisect skip '$(touch PWNED)'", "bisect log", "bisect reset"):
            agent.git(command)
        agent.git("stash push -- '; touch PWNED'")
        agent.git("checkout -b 'x;touch$IFS\\PWNED'")

    def test_rejected_hunks_are_not_written(self, agent: Agent) -> None:
        link(agent, "README.md.rej", ".git/config")
        agent.write(
            "project/evil.patch", "--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-[core]\n+fsmonitor = x\n"
        )
        assert not agent.git("apply --reject evil.patch").success
        assert not agent.git("am --reject evil.patch").success

    def test_a_patch_is_not_written_through_a_link(self, agent: Agent) -> None:
        link(agent, "0001-Evil.patch", ".git/config")
        agent.run("add -A")
        agent.run("commit -m Evil")
        assert "Subject: [PATCH] Evil" in agent.run("format-patch -1")
        assert "remote.origin.url" in agent.run("config --list")

    def test_a_tracked_directory_replaced_by_a_link(self, agent: Agent) -> None:
        agent.write("project/door/config", "[core]\n")
        agent.run("add -A")
        agent.run("commit -m door")
        removal = "diff --git a/door/config b/door/config\ndeleted file mode 100644\n"
        removal += "--- a/door/config\n+++ /dev/null\n"
        agent.write(
            "project/swap.patch", f"{removal}@@ -1 +0,0 @@\n-[core]\n" + patch_with_link("door", ".git")
        )
        agent.run("apply swap.patch")
        for command in (
            "reset --hard",
            "checkout -f HEAD -- door",
            "stash",
            "rm -rf door",
            "restore door/config",
        ):
            agent.git(command)
        assert "remote.origin.url" in agent.run("config --list")

    def test_a_section_too_long_to_rename(self, agent: Agent, lair: Lair) -> None:
        """CVE-2023-29007: renaming a section once wrote part of a long line as settings of its own."""
        value = "x" * 1100 + f"[core] fsmonitor = {lair.payload}"
        agent.git(f"config branch.main.description {value!r}")
        agent.git("branch -m main renamed")
        agent.git("branch -m renamed main")

    def test_a_message_is_only_text(self, agent: Agent) -> None:
        agent.run("commit --allow-empty -m '$(touch PWNED) `touch PWNED` .git/config ../../x -- --exec=x'")
        assert "touch PWNED" in agent.run("log -1 --format=%s")


@both_mechanisms
@pytest.mark.usefixtures("nothing_got_through")
class TestFiles:
    @pytest.mark.parametrize("path", [*OUTSIDE_PATHS, *GIT_PATHS])
    def test_a_path_outside_or_under_git(self, agent: Agent, lair: Lair, path: str) -> None:
        path = path.replace("{outside}", str(lair.outside))
        for observation in (agent.read(path), agent.write(path, "PWNED")):
            assert not observation.success
            assert observation.error

    @pytest.mark.parametrize(
        ("target", "path"),
        [
            ("{outside}/secret.txt", "door"),
            ("{outside}", "door/secret.txt"),
            ("../../../../../../../../../../{outside}", "door/secret.txt"),
            ("/etc", "door/passwd"),
            ("/proc/self/environ", "door"),
            (".git", "door/config"),
            (".git/config", "door"),
            ("docs/../.git", "door/config"),
            ("..", "door/project/.git/config"),
        ],
    )
    def test_a_link(self, agent: Agent, lair: Lair, target: str, path: str) -> None:
        link(agent, "door", target.replace("{outside}", str(lair.outside)))
        for observation in (agent.read(f"project/{path}"), agent.write(f"project/{path}", "PWNED")):
            assert not observation.success
        assert "tampered" not in agent.git("status").error

    def test_a_working_directory_elsewhere(self, agent: Agent, lair: Lair) -> None:
        link(agent, "out", str(lair.outside))
        link(agent, "in", ".git")
        for directory in (
            "..",
            "/",
            "/etc",
            str(lair.outside),
            "project/out",
            "project/in",
            "project/.git",
            ".",
        ):
            assert not agent.git("status", directory).success

    @pytest.mark.parametrize(
        "target", ["../x", "/x", "a/b", ".git", ".GIT", "project", "..", "/workspace", ""]
    )
    def test_a_clone_elsewhere(self, agent: Agent, target: str) -> None:
        before = agent.env._workspace.root  # type: ignore[union-attr]
        names = sorted(path.name for path in before.iterdir())
        observation = agent.clone("project", target)
        assert not observation.success
        assert sorted(path.name for path in before.iterdir()) == names

    @pytest.mark.parametrize(
        "name", ["../project", "ext::sh", "{outside}", "http://127.0.0.1/x", "a/b/c", "-x", "x\0y"]
    )
    def test_a_repository_that_is_none(self, agent: Agent, lair: Lair, name: str) -> None:
        observation = agent.clone(name.replace("{outside}", str(lair.outside)))
        assert not observation.success


@both_mechanisms
@pytest.mark.usefixtures("nothing_got_through")
def test_a_hostile_repository(agent: Agent) -> None:
    assert agent.clone("hostile").success
    agent.home = "hostile"
    for path in ("passwd", "root/etc/passwd", "dotgit/config"):
        assert not agent.read(f"hostile/{path}").success
        assert not agent.write(f"hostile/{path}", "x").success
    agent.git("status", "hostile/bare")
    agent.git("diff passwd root")
    agent.git("grep root")
    agent.write("hostile/text.txt", "changed\n")
    for trigger in (*TRIGGERS, "submodule update --init"):
        agent.git(trigger)


@both_mechanisms
@pytest.mark.usefixtures("nothing_got_through")
def test_another_session_is_out_of_reach(agent: Agent, shared: SharedState) -> None:
    other = GitEnvironment(shared)
    try:
        neighbour = Agent(other)
        neighbour.start(task_id="tip")
        neighbour.write("project/private.txt", SECRET)
        assert other._workspace is not None
        private = other._workspace.root / "project" / "private.txt"
        assert private.read_text() == SECRET
        for path in (str(private), f"../{private.parent.parent.name}/project/private.txt"):
            assert not agent.read(path).success
            assert not agent.git(f"diff --no-index /dev/null {path}").success
        link(agent, "door", str(private))
        assert not agent.read("project/door").success
    finally:
        other.close()


@both_mechanisms
def test_the_sandbox_holds_without_the_policy(agent: Agent, lair: Lair, shared: SharedState) -> None:
    """The second wall: a program that does run reaches neither the host's files nor its credentials."""
    workspace = agent.env._workspace
    assert workspace is not None
    where = workspace.checkouts.locate("project")
    spy = f"touch PWNED {lair.outside}/PWNED; cat {lair.outside}/secret.txt /proc/*/environ /etc/shadow"
    script = f"core.fsmonitor=({spy}) >spied 2>&1;:"
    workspace.run_git(where, ["-c", "core.fsmonitor=true", "-c", script, "status"], now=0)
    done = workspace.run_git(where, ["-c", f"alias.spy=!{spy}", "spy"], now=0)
    assert [path.parent for path in lair.touched()] == [lair.workspace / "project"]
    assert SECRET not in done.stdout
    assert shared.settings.password not in done.stdout
    assert "root:" not in done.stdout
    assert agent.start(task_id="tip").success


def test_the_alarm_works(agent: Agent, lair: Lair) -> None:
    """The payload, set off by git without this environment's care, does touch PWNED: the search finds it."""
    project = lair.workspace / "project"
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    payload = f"core.fsmonitor={lair.payload};:"
    subprocess.run(
        ["git", "-c", payload, "-c", "safe.directory=*", "status"], cwd=project, env=environ, check=False
    )
    assert {path.parent for path in lair.touched()} == {project, lair.outside}
    assert agent.start(task_id="tip").success
