"""The command line of bubblewrap (bwrap(1)): namespaces with nothing in them but what is listed here."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

from openenv_gym.errors import SandboxError
from openenv_gym.sandbox import inside, system_paths
from openenv_gym.sandbox.identity import Identity
from openenv_gym.sandbox.spec import PRIVATE_FOLDER, SandboxSpec

INSTALL_HINT = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap)"
PACKAGE_INSIDE = "/run/sandbox"
_TMPFS_BYTES = 256 << 20
_SHARED_MEMORY_BYTES = 64 << 20


def find() -> str:
    """The path of ``bwrap``.

    Raises:
        SandboxError: It is not installed.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxError(f"bwrap is not installed: {INSTALL_HINT}")
    return path


def command(spec: SandboxSpec, identity: Identity, *, users: int, info: int) -> list[str]:
    """Everything before the helper's own command line.

    Args:
        spec: What to show.
        identity: Whom the programs run as.
        users: Descriptor from which the sandbox's ``/etc/passwd`` is read.
        info: Descriptor on which bubblewrap reports the process id of the helper.

    Raises:
        SandboxError: bubblewrap is not installed.
    """
    bwrap = find()
    arguments = [bwrap, "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    arguments += ["--hostname", "sandbox", "--as-pid-1", "--info-fd", str(info)]
    if not spec.network:
        arguments.append("--unshare-net")
    if identity.own:
        # Root needs no user namespace: with these two the helper becomes the unprivileged user, which loses
        # them.
        arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user", "--cap-drop", "ALL"]
    arguments += _root(spec, users)
    for mount in sorted(spec.mounts, key=lambda mount: mount.target):
        arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    # Last, because nothing can be mounted on a read-only root. These two are memory, without a limit.
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    return [*arguments, "--"]


def _root(spec: SandboxSpec, users: int) -> list[str]:
    """The system's own folders, read-only, and fresh /proc, /dev and /tmp."""
    arguments = []
    for path in system_paths.PROGRAMS:
        if Path(path).is_symlink():
            arguments += ["--symlink", str(Path(path).readlink()), path]
        else:
            arguments += ["--ro-bind-try", path, path]
    interpreter = system_paths.interpreter_folder()
    package = Path(inside.__file__).parent
    arguments += _parents([*([interpreter] if interpreter else []), *(mount.target for mount in spec.mounts)])
    for path in system_paths.settings(network=spec.network):
        arguments += ["--ro-bind-try", path, path]
    if interpreter is not None:
        arguments += ["--ro-bind", interpreter, interpreter]
    arguments += ["--ro-bind", str(package), f"{PACKAGE_INSIDE}/{package.name}"]
    arguments += ["--perms", "0644", "--ro-bind-data", str(users), "/etc/passwd"]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for path, size in ((PRIVATE_FOLDER, _TMPFS_BYTES), ("/dev/shm", _SHARED_MEMORY_BYTES)):
        arguments += ["--perms", "1777"]
        arguments += ["--size", str(size)] if _limits_tmpfs(find()) else []
        arguments += ["--tmpfs", path]
    return arguments


def _parents(paths: list[str]) -> list[str]:
    """The folders above ``paths``, searchable by everybody; bubblewrap's own would be root's alone."""
    folders = {"/etc", "/etc/ssl", PACKAGE_INSIDE, str(Path(PACKAGE_INSIDE).parent)}
    folders |= {str(folder) for path in paths for folder in Path(path).parents}
    arguments = []
    for folder in sorted(folders - {"/"}):
        if not any(Path(folder).is_relative_to(system) for system in system_paths.PROGRAMS):
            arguments += ["--perms", "0755", "--dir", folder]
    return arguments


@functools.cache
def _limits_tmpfs(bwrap: str) -> bool:
    """Whether this version can limit a tmpfs (0.7 and later); an earlier one gets measured only."""
    text = subprocess.run([bwrap, "--help"], capture_output=True, check=False, timeout=10).stdout
    return b"--size" in text
