"""Build a fresh checkout of a starting point, as ``git clone`` would leave it, in about a third of its time.

The ``.git`` directory is written here; one git process fills the index and the working tree. Objects are
borrowed from the mirror through GIT_ALTERNATE_OBJECT_DIRECTORIES, which every command in the workspace
gets, so that no path of the server stands in a file of the workspace.
"""

from __future__ import annotations

import os
from pathlib import Path

from git_env.server.hardening import AUTHOR_EMAIL, AUTHOR_NAME, quoted
from git_env.server.mirrors import Mirror, StartingPoint
from git_env.server.trusted_git import TrustedGit

_NO_OBJECT = "0" * 40
OPEN_MODE = os.geteuid() == 0


def build_checkout(git: TrustedGit, start: StartingPoint, directory: Path, *, attributes: str = "") -> None:
    """Create ``directory`` with a checkout of ``start``.

    Args:
        git: Runs git.
        start: What to check out.
        directory: Must not exist.
        attributes: Attributes that go before those of the repository's own files.

    Where the server is root, sandboxes have users of their own, not known yet when a checkout is prepared.
    Everything is therefore open to all users: which of them can reach it is decided by the directories
    above, and by the sandboxes. (Changing owners later would make git read every file again.)

    Raises:
        TrustedGitError: Git could not check it out.
    """
    git_dir = directory / ".git"
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "logs/refs/heads", "info"):
        (git_dir / folder).mkdir(parents=True)
    _write_metadata(git_dir, start)
    if attributes:
        _write(git_dir / "info" / "attributes", attributes)
    if OPEN_MODE:
        _open_to_all(git_dir)
        directory.chmod(0o777)
    if start.commit is not None:
        git.run(
            ["read-tree", "-m", "-u", start.commit],
            git_dir=git_dir,
            environ={
                "GIT_WORK_TREE": str(directory),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(start.mirror.objects),
            },
            umask=0 if OPEN_MODE else -1,
        )


def _write_metadata(git_dir: Path, start: StartingPoint) -> None:
    _write(git_dir / "HEAD", f"ref: refs/heads/{start.branch}\n" if start.branch else f"{start.commit}\n")
    _write(git_dir / "config", _config(start))
    _write(git_dir / "packed-refs", _packed_refs(start))
    _write_remote_head(git_dir, start.mirror)
    if start.commit is None:
        return
    default = start.mirror.repository.default_branch
    who = f"{AUTHOR_NAME} <{AUTHOR_EMAIL}> {start.mirror.newest} +0000"
    entry = f"{_NO_OBJECT} {start.commit} {who}\tclone: from {start.mirror.url}\n"
    # What `git status` reads to say where a detached HEAD came from.
    moved = f"{start.commit} {start.commit} {who}\tcheckout: moving from {default} to {start.name}\n"
    _write(git_dir / "logs" / "HEAD", entry if start.branch else entry + moved)
    if start.branch:
        log = git_dir / "logs" / "refs" / "heads" / start.branch
        log.parent.mkdir(parents=True, exist_ok=True)
        _write(log, entry)


def _open_to_all(directory: Path) -> None:
    directory.chmod(0o777)
    for path in directory.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)


def quoted_path(path: Path | str) -> str:
    """A path as an element of GIT_ALTERNATE_OBJECT_DIRECTORIES, where ``:`` separates."""
    return quoted(str(path))


def _config(start: StartingPoint) -> str:
    text = (
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n"
        "\tbare = false\n\tlogallrefupdates = true\n"
        f'[remote "origin"]\n\turl = {quoted(start.mirror.url)}\n'
        "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
    )
    if start.branch:
        text += f"[branch {quoted(start.branch)}]\n\tremote = origin\n\tmerge = refs/heads/{start.branch}\n"
    return text


def _packed_refs(start: StartingPoint) -> str:
    mirror = start.mirror
    refs = {f"refs/remotes/origin/{name}": (commit, "") for name, commit in mirror.heads.items()}
    for name, target in mirror.tags.items():
        refs[f"refs/tags/{name}"] = (target, mirror.peeled.get(name, ""))
    if start.branch and start.commit:
        refs[f"refs/heads/{start.branch}"] = (start.commit, "")
    lines = ["# pack-refs with: peeled sorted \n"]
    for name in sorted(refs, key=os.fsencode):
        target, peeled = refs[name]
        lines.append(f"{target} {name}\n" + (f"^{peeled}\n" if peeled else ""))
    return "".join(lines)


def _write_remote_head(git_dir: Path, mirror: Mirror) -> None:
    default = mirror.repository.default_branch
    if default in mirror.heads:
        head = git_dir / "refs" / "remotes" / "origin" / "HEAD"
        head.parent.mkdir(parents=True)
        _write(head, f"ref: refs/remotes/origin/{default}\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogateescape")  # references may be any bytes
