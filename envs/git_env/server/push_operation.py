"""push for agents, where the operator allows it.

The agent's repository never meets the credentials. Inside the sandbox the commits are packed into a bundle;
outside, trusted git reads that bundle as data into a throw-away repository and pushes from there.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from git_env.server.checkout_pool import remove_tree
from git_env.server.checkouts import WorkingDirectory
from git_env.server.mirrors import Mirror
from git_env.server.policy.command_grammar import Arguments
from git_env.server.policy.command_policy import ParsedCommand
from git_env.server.policy.refusal import Refusal
from git_env.server.remote_operations import split_remote
from git_env.server.session_sandbox import GitResult
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.shared_state import SharedState
from git_env.server.trusted_git import TrustedGitError

_BUNDLE = "push.bundle"
_MAX_BUNDLE_BYTES = 64 << 20


@dataclass(frozen=True)
class _Update:
    """One reference to push: what, and to which full name."""

    source: str
    commit: str
    destination: str
    force: bool


def push(
    shared: SharedState,
    workspace: SessionWorkspace,
    where: WorkingDirectory,
    command: ParsedCommand,
    now: int,
) -> GitResult:
    """Push one branch or tag to the host, and let the mirror follow.

    Raises:
        Refusal: Pushing is off, or the command asks for more than one branch or tag.
        TrustedGitError: The mirror could not follow.
    """
    if not shared.settings.allow_push:
        raise Refusal(
            "pushing is off: commits stay in this workspace (the operator can set GIT_ALLOW_PUSH=true)"
        )
    arguments = command.arguments
    assert arguments is not None
    update = _plan(workspace, where, arguments, now)
    mirror = where.checkout.mirror
    try:
        output = _send(shared, workspace, where, update, now)
    except TrustedGitError as error:
        real = shared.mirrors.fetch_url(mirror.repository.full_name)
        return GitResult(1, "", str(error).replace(real, mirror.url))
    shared.mirrors.refresh(mirror.repository)
    _record(workspace, where, update, arguments, now)
    return GitResult(0, output, "")


def _plan(workspace: SessionWorkspace, where: WorkingDirectory, arguments: Arguments, now: int) -> _Update:
    refspecs = split_remote(arguments)
    if len(refspecs) > 1:
        raise Refusal("push one branch or tag a step")
    refspec = refspecs[0] if refspecs else "HEAD"
    source, _, destination = refspec.removeprefix("+").partition(":")
    full = _ask(workspace, where, ["rev-parse", "--symbolic-full-name", source], now)
    if not full.startswith(("refs/heads/", "refs/tags/")):
        raise Refusal(f"{source!r} is no branch or tag of this repository")
    if not destination:
        destination = full
    elif not destination.startswith("refs/"):
        destination = f"refs/heads/{destination}"
    commit = _ask(workspace, where, ["rev-parse", "--verify", full], now)
    return _Update(full, commit, destination, refspec.startswith("+") or arguments.has("-f", "--force"))


def _ask(workspace: SessionWorkspace, where: WorkingDirectory, argv: list[str], now: int) -> str:
    done = workspace.run_git(where, argv, now=now)
    if done.exit_code:
        raise Refusal(done.stderr.strip() or f"git {argv[0]} failed")
    return done.stdout.strip()


def _send(
    shared: SharedState, workspace: SessionWorkspace, where: WorkingDirectory, update: _Update, now: int
) -> str:
    mirror = where.checkout.mirror
    staging = shared.directory / f"push-{secrets.token_hex(8)}.git"
    try:
        shared.git.run(
            ["clone", "--quiet", "--bare", "--shared", "--template=", str(mirror.path), str(staging)],
            environ={"GIT_ALLOW_PROTOCOL": "file"},
        )
        if not _has_object(shared, mirror, update.commit):
            inside = workspace.scratch_path(_BUNDLE)
            argv = ["bundle", "create", "--quiet", inside, update.source, "--not", "--remotes=origin"]
            _ask(workspace, where, argv, now)
            bundle = staging / _BUNDLE
            bundle.write_bytes(workspace.take_scratch_file(_BUNDLE, _MAX_BUNDLE_BYTES))
            shared.git.run(["bundle", "unbundle", str(bundle)], git_dir=staging)
        real = shared.mirrors.fetch_url(mirror.repository.full_name)
        refspec = f"{'+' if update.force else ''}{update.commit}:{update.destination}"
        pushed = shared.git.run(["push", "--porcelain", real, refspec], git_dir=staging, access=shared.access)
        return pushed.replace(real, mirror.url)
    finally:
        if staging.exists():
            remove_tree(staging)


def _has_object(shared: SharedState, mirror: Mirror, name: str) -> bool:
    try:
        shared.git.run(["cat-file", "-e", name], git_dir=mirror.path)
    except TrustedGitError:
        return False  # failing is how cat-file -e says no
    return True


def _record(
    workspace: SessionWorkspace, where: WorkingDirectory, update: _Update, arguments: Arguments, now: int
) -> None:
    """Do what a push does in the agent's repository: move origin's branch, remember what to follow."""
    if not update.destination.startswith("refs/heads/"):
        return
    branch = update.destination.removeprefix("refs/heads/")
    _ask(workspace, where, ["update-ref", f"refs/remotes/origin/{branch}", update.commit], now)
    if arguments.has("-u", "--set-upstream") and update.source.startswith("refs/heads/"):
        local = update.source.removeprefix("refs/heads/")
        _ask(workspace, where, ["branch", "--quiet", f"--set-upstream-to=origin/{branch}", local], now)
