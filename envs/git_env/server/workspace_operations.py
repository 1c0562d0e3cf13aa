"""What an agent's actions do in a workspace, and how that looks to it."""

from __future__ import annotations

from collections.abc import Callable

from git_env.models import GitAction, GitObservation
from git_env.server import push_operation, remote_operations
from git_env.server.checkouts import WorkingDirectory
from git_env.server.mirrors import Mirror
from git_env.server.policy.command_policy import ParsedCommand, parse_command
from git_env.server.session_sandbox import GitResult
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.shared_state import SharedState

Clock = Callable[[Mirror], int]


def execute(
    shared: SharedState, workspace: SessionWorkspace, action: GitAction, *, home: str, clock: Clock
) -> GitObservation:
    """Run a git command.

    Args:
        shared: What the sessions share.
        workspace: Where.
        action: Has the command, and the directory below the workspace.
        home: The directory where the action names none.
        clock: Tells git's present, in seconds since 1970, for a repository.

    Raises:
        Refusal: It may not run.
    """
    where = workspace.checkouts.locate(action.working_dir or action.repo_name or home)
    command = parse_command(action.command, workspace.checkouts.path_checks(where))
    if command.writes:
        workspace.require_space()
    done = _run(shared, workspace, where, command, clock(where.checkout.mirror))
    return shown(f"git {command.name}", done)


def shown(program: str, done: GitResult) -> GitObservation:
    """What the agent sees of a program that has ended."""
    if done.exit_code == 0:
        output = "".join(text for text in (done.stdout, done.stderr) if text)
        return GitObservation(success=True, message=f"{program} succeeded", output=output)
    # Some failures ("nothing to commit") are told on standard output alone.
    return GitObservation(
        success=False,
        message=f"{program} failed with exit code {done.exit_code}",
        output=done.stdout,
        error=done.stderr or done.stdout or f"exit code {done.exit_code}",
    )


def failed(message: str, error: str) -> GitObservation:
    """An operation that came to nothing."""
    return GitObservation(success=False, message=message, error=error)


def read_file(workspace: SessionWorkspace, action: GitAction) -> GitObservation:
    """Show a text file.

    Raises:
        Refusal: It may not be read.
    """
    text = workspace.read_file(action.path)
    return GitObservation(success=True, message=f"Read {len(text.encode())} bytes", output=text)


def write_file(workspace: SessionWorkspace, action: GitAction) -> GitObservation:
    """Create or replace a text file.

    Raises:
        Refusal: It may not be written.
    """
    workspace.require_space()
    size = workspace.write_file(action.path, action.content)
    return GitObservation(success=True, message=f"Wrote {size} bytes")


def _run(
    shared: SharedState,
    workspace: SessionWorkspace,
    where: WorkingDirectory,
    command: ParsedCommand,
    now: int,
) -> GitResult:
    match command.name:
        case "fetch":
            return remote_operations.fetch(workspace, where, command, now)
        case "pull":
            return remote_operations.pull(workspace, where, command, now)
        case "push":
            return push_operation.push(shared, workspace, where, command, now)
    return workspace.run_git(where, command.argv, now=now)
