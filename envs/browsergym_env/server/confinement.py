"""How a browser is confined: the command line before its own.

Web pages are kept in by Chromium's own sandbox, where it works. This is what is around it: the browser runs
as a user that owns nothing and, where bubblewrap works, sees the system's programs and fonts, an empty
``/tmp``, and no process but its own, which all end with the first of them.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.errors import SandboxError
from openenv_gym.sandbox.identity import Identity
from openenv_gym.sandbox.system_paths import PROGRAMS, settings

logger = logging.getLogger(__name__)

_FONTS = ("/etc/fonts", "/var/cache/fontconfig")
_PROFILE_BYTES = 1 << 30
_PROBE_TIMEOUT = 20.0
# Chromium's sandbox is made of these.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--pid", "--net", "--fork", "true")


@dataclass(frozen=True)
class Confinement:
    """A way to run one browser.

    Attributes:
        command: What comes before the browser's own command line.
        home: Where the browser may write, as it sees it.
        has_sandbox: Whether Chromium's own sandbox works in there.
        name: What to tell people about it.
    """

    command: tuple[str, ...]
    home: str
    has_sandbox: bool
    name: str


def confine(identity: Identity, executable: Path, home: Path, *, headless: bool) -> Confinement:
    """Choose the best confinement that works here.

    Args:
        identity: Whom the browser runs as.
        executable: The browser.
        home: A folder of that user's, for a confinement without a file system of its own.
        headless: A browser with windows is for people to watch, and is not cut off from their display.

    Raises:
        SandboxError: This process is root's, and cannot become another user.
    """
    as_user = _as_user(identity)
    if headless and (bwrap := shutil.which("bwrap")) is not None:
        command = (*_bubblewrap(bwrap, identity, executable), *as_user)
        has_sandbox = _works(command, *_NAMESPACES)
        if has_sandbox or _works(command, "true"):
            return Confinement(command, "/tmp", has_sandbox, "bubblewrap")
    return Confinement(as_user, str(home), _works(as_user, *_NAMESPACES), "user" if identity.own else "none")


def _as_user(identity: Identity) -> tuple[str, ...]:
    if not identity.own:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SandboxError(
            "a browser is not run as root: install setpriv (Debian's util-linux), or start the server as "
            "another user"
        )
    return (
        *(setpriv, "--reuid", str(identity.uid), "--regid", str(identity.gid), "--clear-groups"),
        *("--no-new-privs", "--pdeathsig", "KILL"),
    )


def _bubblewrap(bwrap: str, identity: Identity, executable: Path) -> tuple[str, ...]:
    arguments = [bwrap, "--die-with-parent"]
    arguments += [
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "browser",
    ]
    if identity.own:
        arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user", "--cap-drop", "ALL"]
    for path in PROGRAMS:
        if Path(path).is_symlink():
            arguments += ["--symlink", str(Path(path).readlink()), path]
        else:
            arguments += ["--ro-bind-try", path, path]
    for folder in ("/etc", "/etc/ssl", "/var", "/var/cache"):
        arguments += ["--perms", "0755", "--dir", folder]
    for path in (*settings(network=True), *_FONTS):
        arguments += ["--ro-bind-try", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    arguments += ["--perms", "1777", "--size", str(_PROFILE_BYTES), "--tmpfs", "/tmp"]
    if not any(executable.is_relative_to(path) for path in PROGRAMS):
        arguments += ["--ro-bind", str(executable.parent), str(executable.parent)]
    return (*arguments, "--chdir", "/tmp", "--")


def _works(command: tuple[str, ...], *program: str) -> bool:
    """Whether a program ends well when it is run this way."""
    try:
        done = subprocess.run([*command, *program], capture_output=True, check=False, timeout=_PROBE_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("a browser cannot be confined as it should be: %s", error)
        return False
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip()
        logger.warning("a browser cannot be confined as it should be: %s: %s", program[0], told)
    return done.returncode == 0
