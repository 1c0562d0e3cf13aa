"""fetch and pull for agents, served from the mirror: no command of an agent ever reaches the network.

The mirror stands in for ``origin``. ``pull`` is a fetch, then a merge or rebase, so that the mirror's path
is replaced by the origin's address before git writes it into a merge commit.
"""

from __future__ import annotations

import re

from git_env.server.checkouts import WorkingDirectory
from git_env.server.mirrors import Mirror
from git_env.server.policy.command_grammar import Arguments
from git_env.server.policy.command_policy import ParsedCommand
from git_env.server.policy.refusal import Refusal
from git_env.server.session_sandbox import MIRRORS, GitResult
from git_env.server.session_workspace import SessionWorkspace

_REFSPEC = re.compile(r"\+?[\w][\w./*@{}+-]*(?::[\w][\w./*+-]*)?\Z")
_FETCH_HEAD = "FETCH_HEAD"
_REBASE_OPTIONS = ("--autostash", "-q", "--quiet", "--stat", "-n", "--no-stat")
_MERGE_OPTIONS = ("--ff", "--no-ff", "--ff-only", *_REBASE_OPTIONS)


def split_remote(arguments: Arguments) -> list[str]:
    """The refspecs of a fetch, pull or push; the only remote there is, is ``origin``.

    Raises:
        Refusal: Another remote, or something that is no refspec.
    """
    remote, *refspecs = [*arguments.positionals, *(arguments.paths or [])] or ["origin"]
    if remote != "origin":
        raise Refusal(f"{remote!r} is not a remote here; the only one is origin")
    for refspec in refspecs:
        if not _REFSPEC.match(refspec):
            raise Refusal(f"{refspec!r} is not a branch, a tag or <source>:<destination>")
    return refspecs


def fetch(
    workspace: SessionWorkspace, where: WorkingDirectory, command: ParsedCommand, now: int
) -> GitResult:
    """Run ``git fetch`` against the mirror.

    Raises:
        Refusal: Another remote was named.
    """
    arguments = command.arguments
    assert arguments is not None
    options = [word for option, value in arguments.options for word in option.canonical(value)]
    everything = arguments.has("--all")
    refspecs = split_remote(arguments)
    return _fetch(workspace, where, [*options, *([] if everything else ["origin", *refspecs])], now)


def pull(workspace: SessionWorkspace, where: WorkingDirectory, command: ParsedCommand, now: int) -> GitResult:
    """Fetch from the mirror, then merge or rebase.

    Diverged branches are merged unless the options or ``pull.rebase`` say otherwise.

    Raises:
        Refusal: Another remote was named, or the branch follows none.
    """
    arguments = command.arguments
    assert arguments is not None
    fetched = _fetch(workspace, where, ["origin", *split_remote(arguments)], now)
    if fetched.exit_code:
        return fetched
    lines = workspace.read_git_file(where.checkout, _FETCH_HEAD).splitlines()
    if not any("\tnot-for-merge\t" not in line for line in lines):
        raise Refusal("the current branch follows no branch of origin; name one: git pull origin <branch>")
    if _rebases(workspace, where, arguments, now):
        then = ["rebase", *_given(arguments, _REBASE_OPTIONS), _FETCH_HEAD]
    else:
        then = ["merge", "--no-edit", *_given(arguments, _MERGE_OPTIONS), _FETCH_HEAD]
    done = workspace.run_git(where, then, now=now)
    return GitResult(done.exit_code, fetched.stdout + done.stdout, fetched.stderr + done.stderr)


def _fetch(workspace: SessionWorkspace, where: WorkingDirectory, words: list[str], now: int) -> GitResult:
    mirror = where.checkout.mirror
    path = workspace.mirror_path(mirror)
    done = workspace.run_git(
        where,
        ["fetch", "--no-auto-maintenance", "--no-recurse-submodules", *words],
        now=now,
        settings=[
            (f"url.{path}.insteadOf", mirror.url),
            ("protocol.allow", "never"),
            ("protocol.file.allow", "always"),
        ],
        environ={"GIT_ALLOW_PROTOCOL": "file"},
    )

    fetch_head = workspace.read_git_file(where.checkout, _FETCH_HEAD)
    shown = _with_origin(fetch_head, path, mirror)
    if shown != fetch_head:
        workspace.write_git_file(where.checkout, _FETCH_HEAD, shown)
    # What the sandbox lets through names the mirror as the mount's target, FETCH_HEAD as programs see it.
    target = f"{MIRRORS}/{mirror.path.name}"
    stdout, stderr = (_with_origin(text, target, mirror) for text in (done.stdout, done.stderr))
    return GitResult(done.exit_code, stdout, stderr)


def _with_origin(text: str, path: str, mirror: Mirror) -> str:
    """``text`` with the origin's address for the mirror's path."""
    # Git leaves ".git" off where it tells what it fetched from.
    url = mirror.url
    return text.replace(path, url).replace(path.removesuffix(".git"), url.removesuffix(".git"))


def _rebases(workspace: SessionWorkspace, where: WorkingDirectory, arguments: Arguments, now: int) -> bool:
    chosen: bool | None = None
    for option, value in arguments.options:
        if option.name in ("-r", "--rebase"):
            chosen = value != "false"
        elif option.name in ("--no-rebase", "--no-ff", "--ff"):
            chosen = False
    if chosen is not None:
        return chosen
    setting = workspace.run_git(where, ["config", "--type=bool", "--get", "pull.rebase"], now=now)
    return setting.stdout.strip() == "true"


def _given(arguments: Arguments, names: tuple[str, ...]) -> list[str]:
    return [option.name for option, _ in arguments.options if option.name in names]
