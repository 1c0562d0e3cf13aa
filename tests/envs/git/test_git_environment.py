"""The Git environment's promises to agents: what each operation does, shows, and leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from git_env.models import GitAction
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitLimits, GitSettings, Task
from git_env.server.shared_state import SharedState
from openenv_gym.errors import ClosedError, EnvironmentFailedError, InvalidActionError, NotResetError
from tests.envs.git.agent import Agent
from tests.envs.git.conftest import UNICODE_NAME


def test_the_seed_s_session(agent: Agent) -> None:
    listed = agent.act(action_type="list_repos")
    assert [repo["name"] for repo in listed.repos] == ["empty", "hostile", "project"]
    assert listed.repos[2]["full_name"] == "gitea/project"
    assert listed.repos[2]["clone_url"].endswith("/gitea/project.git")
    cloned = agent.clone("hostile")
    assert cloned.output == "Cloned to: /workspace/hostile"
    assert agent.clone("project", "custom-dir").output == "Cloned to: /workspace/custom-dir"
    for command in ("status", "git status", "git --no-pager status"):
        observation = agent.git(command, "custom-dir")
        assert observation.success
        assert "On branch main" in observation.output
        assert observation.reward is None
        assert not observation.done


def test_the_directory_of_a_command(agent: Agent) -> None:
    top = "/workspace/project"
    for directory in ("project", "/workspace/project", "project/", "./project", ""):
        assert agent.run("rev-parse --show-toplevel", directory).strip() == top
    assert agent.run("rev-parse --show-prefix", "project/docs").strip() == "docs/"
    assert agent.run("ls-files ../README.md", "project/docs").strip() == "../README.md"
    assert agent.run("ls-files /workspace/project/README.md", "project/docs").strip() == "../README.md"
    by_name = agent.act(action_type="execute_git_command", command="status", repo_name="project")
    assert by_name.success


def test_edit_commit_and_look(agent: Agent) -> None:
    assert agent.write("project/src/new.py", "print(1)\n").success
    assert agent.read("/workspace/project/src/new.py").output == "print(1)\n"
    assert agent.run("status --short") == "?? src/\n"
    agent.run("add -A")
    agent.run("commit -m 'Add a program'")
    assert agent.run("log --format=%an:%s -1") == "Agent:Add a program\n"
    assert "+print(1)" in agent.run("diff HEAD~1")
    agent.run("config user.name 'Somebody Else'")
    agent.run("commit --allow-empty -m empty")
    assert agent.run("log --format=%an -1") == "Somebody Else\n"


def test_a_day_of_work(agent: Agent) -> None:
    agent.run("switch -c topic/deep/er")
    agent.write("project/README.md", "changed\n")
    agent.run("stash push -m 'for later'")
    assert "for later" in agent.run("stash list")
    agent.run("stash pop")
    agent.run("commit -am 'Change it'")
    agent.run("tag -a v2 -m Second")
    agent.run("notes add -m remark")
    agent.run("checkout main")
    agent.run("merge --no-ff topic/deep/er -m 'Merge it'")
    agent.run("revert --no-edit HEAD -m 1")
    agent.run("cherry-pick v2")
    agent.run("reset --hard HEAD~1")
    agent.run("rebase --onto HEAD~2 HEAD~1")
    agent.run("mv README.md docs/README.md")
    agent.run("rm --cached docs/page0.md")
    agent.run("restore --staged docs/page0.md")
    agent.run("commit -am 'Move it'")
    agent.run("clean -fd")
    agent.run("bisect start HEAD HEAD~2")
    agent.run("bisect reset")
    assert "README.md" in agent.run("ls-tree -r --name-only HEAD")
    for command in (
        "blame docs/README.md",
        "describe --always",
        "shortlog -sn",
        "reflog",
        "grep -n Page",
        "show v1.0 --stat",
        "log --graph --oneline --all",
        "rev-list --count HEAD",
        "branch -vv",
        "format-patch --stdout -1",
        "remote -v",
        "config --list",
        "cat-file -p HEAD",
        "for-each-ref",
    ):
        assert agent.run(command)


def test_a_patch(agent: Agent) -> None:
    agent.write("project/README.md", "patched\n")
    patch = agent.run("diff")
    agent.run("checkout -- README.md")
    agent.write("project/fix.patch", patch)
    agent.run("apply --check fix.patch")
    agent.run("apply fix.patch")
    assert agent.read("project/README.md").output == "patched\n"


def test_a_conflict_is_a_failure_to_look_at(agent: Agent) -> None:
    agent.run("checkout -b other HEAD~1")
    agent.write("project/README.md", "theirs\n")
    agent.run("commit -am theirs")
    merged = agent.git("merge main")
    assert not merged.success
    assert "CONFLICT" in merged.output
    assert "<<<<<<<" in agent.read("project/README.md").output
    agent.run("merge --abort")


def test_failures_are_observations(agent: Agent) -> None:
    failed = agent.git("checkout no-such-branch")
    assert not failed.success
    assert "no-such-branch" in failed.error
    nothing = agent.git("commit -m nothing")
    assert not nothing.success
    assert "nothing to commit" in nothing.error
    assert "clone_repo" in agent.git("clone x").error
    assert "cannot be split" in agent.git("log 'x").error
    assert "no git command" in agent.git("git").error
    assert "not in a repository" in agent.git("status", "elsewhere").error
    assert "list_repos" in agent.clone("").error
    assert "gitea/project" in agent.clone("no-such-repository").error
    assert "already exists" in agent.clone("project").error


def test_reading_fails_clearly(agent: Agent) -> None:
    agent.run("checkout feature/one")
    assert agent.read(f"project/{UNICODE_NAME}").output == "Grüße\n"
    assert "not UTF-8" in agent.read("project/image.bin").error
    assert "No such file" in agent.read("project/nothing").error
    assert "directory" in agent.read("project/docs").error
    assert UNICODE_NAME in agent.run("ls-files")
    assert "Binary files" in agent.run("diff HEAD~1 -- image.bin")


def test_fetch_and_pull_come_from_the_mirror(agent: Agent) -> None:
    agent.run("reset --hard HEAD~1")
    agent.run("branch -d -r origin/feature/one")
    fetched = agent.git("fetch")
    assert fetched.success
    assert "feature/one" in fetched.output
    url = agent.run("remote get-url origin").strip()
    assert url.removesuffix(".git") in fetched.output
    assert "Fast-forward" in agent.run("pull")
    agent.run("reset --hard HEAD~1")
    agent.write("project/own.txt", "own\n")
    agent.run("add -A")
    agent.run("commit -m own")
    agent.run("pull --no-rebase origin feature/one")
    assert agent.run("log -1 --format=%s") == f"Merge branch 'feature/one' of {url.removesuffix('.git')}\n"
    agent.run("reset --hard HEAD~1")
    assert "own" in agent.run("pull --rebase") + agent.run("log -1 --format=%s")
    agent.run("checkout --detach")
    assert "name one" in agent.git("pull").error


def test_pushing_is_off(agent: Agent) -> None:
    agent.run("commit --allow-empty -m local")
    assert "GIT_ALLOW_PUSH" in agent.git("push").error


def test_an_empty_repository(agent: Agent) -> None:
    assert agent.clone("empty").success
    assert "No commits yet" in agent.run("status", "empty")
    agent.write("empty/first.txt", "first\n")
    agent.run("add first.txt", "empty")
    agent.run("commit -m First", "empty")
    assert agent.run("log --format=%s", "empty") == "First\n"
    assert agent.git("fetch", "empty").success


def test_tasks(agent: Agent) -> None:
    assert "task 'feature'" in agent.start(task_id="feature").message
    assert "On branch feature/one" in agent.run("status")
    agent.start(task_id="start")
    assert "HEAD detached at v1.0" in agent.run("status")
    assert agent.run("describe --tags").strip() == "v1.0"
    drawn = {agent.start(seed=seed).message for seed in range(20)}
    assert len(drawn) == 3
    assert agent.start(seed=7).message == agent.start(seed=7).message
    with pytest.raises(InvalidActionError, match="tasks: feature, start, tip"):
        agent.start(task_id="none")


def test_tasks_by_place(env: GitEnvironment) -> None:
    assert env.list_splits() == ["train"]
    assert env.num_tasks("train") == len(env.list_tasks("train")) == 3
    assert env.get_task("train", 1) == {
        "task_id": "feature",
        "repository": "gitea/project",
        "ref": "feature/one",
    }
    assert env.get_task_range("train", 1, None) == env.list_tasks("train")[1:]
    with pytest.raises(IndexError):
        env.get_task("train", 3)
    with pytest.raises(InvalidActionError, match="splits: train"):
        env.num_tasks("test")
    assert "feature" in env.reset(split="train", index=1).message
    with pytest.raises(InvalidActionError, match="0 to 2"):
        env.reset(split="train", index=9)


@pytest.mark.parametrize(
    ("repository", "ref"), [("project", "no-such-ref"), ("nothing", "main"), ("project", "-x")]
)
def test_a_task_that_cannot_be_set_up(settings: GitSettings, repository: str, ref: str) -> None:
    shared = SharedState(replace(settings, tasks={"bad": Task("bad", repository, ref)}))
    env = GitEnvironment(shared)
    try:
        with pytest.raises(EnvironmentFailedError, match="task 'bad' cannot be set up"):
            env.reset()
    finally:
        env.close()
        shared.close()


def test_state(env: GitEnvironment) -> None:
    env.reset(seed=1, episode_id="mine", task_id="tip")
    env.step(GitAction(action_type="list_repos"))
    state = env.state
    assert (state.episode_id, state.step_count) == ("mine", 1)
    assert (state.gitea_ready, state.workspace_path) == (True, "/workspace")
    env.reset()
    assert env.state.episode_id not in (None, "mine")
    assert env.state.step_count == 0


def test_a_step_before_the_first_reset(shared: SharedState) -> None:
    env = GitEnvironment(shared)
    with pytest.raises(NotResetError):
        env.step(GitAction(action_type="list_repos"))
    env.close()


def test_a_host_that_is_not_there() -> None:
    shared = SharedState(GitSettings(gitea_url="http://127.0.0.1:9", username="u", password="sesame"))
    env = GitEnvironment(shared)
    try:
        assert env.reset().success
        assert not env.state.gitea_ready
        observation = env.step(GitAction(action_type="list_repos"))
        assert not observation.success
        assert "GITEA_URL" in observation.error
        assert "sesame" not in observation.model_dump_json()
    finally:
        env.close()
        shared.close()


def test_wrong_credentials(settings: GitSettings) -> None:
    shared = SharedState(replace(settings, password="wrong-sesame", tasks={}))
    env = GitEnvironment(shared)
    try:
        env.reset()
        observation = env.step(GitAction(action_type="clone_repo", repo_name="project"))
        assert not observation.success
        assert "wrong-sesame" not in observation.error
    finally:
        env.close()
        shared.close()


class TestLimits:
    """Bounds on output, time, files and the whole workspace."""

    @pytest.fixture
    def agent(self, settings: GitSettings) -> Iterator[Agent]:
        limits = GitLimits(
            command_seconds=1.0, output_bytes=2_000, file_bytes=200_000, workspace_bytes=1_000_000
        )
        shared = SharedState(replace(settings, limits=limits))
        env = GitEnvironment(shared)
        agent = Agent(env)
        agent.start(task_id="tip")
        yield agent
        env.close()
        shared.close()

    def test_output(self, agent: Agent) -> None:
        agent.write("project/long.txt", "x" * 50 + "\n" * 20_000)
        agent.run("add -A")
        observation = agent.git("diff --cached")
        assert len(observation.output) < 3_000
        assert "[cut: a command may print 2000 bytes]" in observation.output
        assert "larger" in agent.read("project/long.txt").error

    def test_time(self, agent: Agent) -> None:
        agent.write("project/slow.txt", "a" * 40_000 + "\n")
        agent.run("add -A")
        observation = agent.git("grep -E '(a|a|aa)+(a|aa)+(a|aa)+$b' -- slow.txt")
        assert not observation.success
        assert "took longer than 1 s" in observation.error
        assert agent.git("status").success

    def test_files_and_disk(self, agent: Agent) -> None:
        assert not agent.write("project/large.txt", "x" * 300_000).success
        for number in range(8):
            agent.write(f"project/{number}.txt", f"{number}" * 190_000)
        refused = agent.write("project/more.txt", "x")
        assert "full" in refused.error
        assert "full" in agent.git("add -A").error
        agent.start(task_id="tip")
        assert agent.write("project/more.txt", "x").success

    def test_a_patch_that_grows(self, agent: Agent) -> None:
        agent.write("project/zeros.txt", "0" * 190_000)
        agent.run("add -A")
        agent.run("commit -m zeros")
        patch = agent.git("format-patch --stdout --binary -1").output
        assert len(patch) < 10_000
        for number in range(12):
            agent.git(f"mv zeros.txt zeros{number}.txt")
            agent.git("checkout HEAD -- zeros.txt")
        assert not agent.git("add -A").success or "full" in agent.write("project/x", "x").error


def test_a_broken_sandbox_is_replaced_by_the_next_reset(shared: SharedState) -> None:
    env = GitEnvironment(shared)
    agent = Agent(env)
    agent.start(task_id="tip")
    assert env._workspace is not None
    env._workspace._sandbox.close()
    with pytest.raises(ClosedError):
        agent.git("status")
    assert agent.start(task_id="tip").success
    assert agent.git("status").success
    env.close()


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 2000, "\ud800", "a\nb", "\x00", "ü" * 130])
def test_names_that_no_file_can_have(agent: Agent, name: str) -> None:
    for observation in (
        agent.git("status", f"project/{name}"),
        agent.git(f"add {name!r}"),
        agent.clone(name),
        agent.clone("empty", "x" * 300),
        agent.read(f"project/{name}"),
    ):
        assert not observation.success
        assert observation.error
        observation.model_dump_json()


def test_a_step_ends_before_its_deadline(agent: Agent) -> None:
    agent.write("project/slow.txt", "a" * 40_000 + "\n")
    agent.run("add -A")
    command = "grep -E '(a|a|aa)+(a|aa)+(a|aa)+$b' -- slow.txt"
    action = GitAction(action_type="execute_git_command", command=command, working_dir="project")
    assert "took longer" in agent.env.step(action, timeout_s=0.5).error


def test_the_workspace_is_gone_after_close(shared: SharedState) -> None:
    env = GitEnvironment(shared)
    env.reset(task_id="tip")
    assert env._workspace is not None
    root: Path = env._workspace.root
    assert root.is_dir()
    env.close()
    env.close()
    assert not root.exists()
