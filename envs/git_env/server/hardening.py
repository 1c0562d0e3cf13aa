"""Settings under which git runs no program of anybody's choosing, here and in the sandbox.

They are given twice. The file named by GIT_CONFIG_GLOBAL reaches every git process, also the one that
serves a local fetch, whose command-line settings git clears. The command-line form (GIT_CONFIG_COUNT)
overrides whatever a repository's own file says.
"""

from __future__ import annotations

from collections.abc import Iterable

AUTHOR_NAME = "Agent"
AUTHOR_EMAIL = "agent@openenv.invalid"

Setting = tuple[str, str]

# Settings that may be overridden by an agent for its own repository (config_policy.py).
DEFAULTS: tuple[Setting, ...] = (
    ("user.name", AUTHOR_NAME),
    ("user.email", AUTHOR_EMAIL),
    ("core.quotePath", "false"),
    ("push.default", "current"),
)

ENFORCED: tuple[Setting, ...] = (
    # Programs.
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", ""),  # git before 2.36 takes "false" for the name of a program
    ("core.editor", ":"),
    ("sequence.editor", ":"),
    ("core.pager", "cat"),
    ("core.askPass", "false"),
    ("core.sshCommand", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("credential.helper", ""),
    ("gpg.program", "false"),
    ("gpg.openpgp.program", "false"),
    ("gpg.x509.program", "false"),
    ("gpg.ssh.program", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("init.templateDir", ""),
    ("commit.template", ""),
    # Repositories that somebody planted, and what lies outside this one.
    ("safe.bareRepository", "explicit"),
    ("safe.directory", "*"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("status.submoduleSummary", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    # A large pack must not need more address space than a process may have.
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "256m"),
    # A snapshot is a copy: of what git compares, it keeps the time and the size.
    ("core.checkStat", "minimal"),
    ("core.trustctime", "false"),
    # Nothing in the background, and the same output on every machine.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("rerere.enabled", "false"),
    ("core.untrackedCache", "false"),
    ("core.preloadIndex", "false"),
    ("index.threads", "1"),
    ("pack.threads", "1"),
    ("grep.threads", "1"),
    ("checkout.workers", "1"),
    ("color.ui", "false"),
    ("column.ui", "never"),
    ("advice.detachedHead", "false"),
    ("init.defaultBranch", "main"),
    ("format.signature", ""),
)


def as_environ(settings: Iterable[Setting]) -> dict[str, str]:
    """Settings in the form that overrides every file."""
    environ: dict[str, str] = {}
    count = 0
    for count, (key, value) in enumerate(settings, start=1):
        environ[f"GIT_CONFIG_KEY_{count - 1}"] = key
        environ[f"GIT_CONFIG_VALUE_{count - 1}"] = value
    return {"GIT_CONFIG_COUNT": str(count), **environ}


def as_file(settings: Iterable[Setting]) -> str:
    """Settings as the text of a configuration file."""
    lines = []
    for key, value in settings:
        section, _, name = key.rpartition(".")
        section, dot, subsection = section.partition(".")
        header = f"[{section} {quoted(subsection)}]" if dot else f"[{section}]"
        lines.append(f"{header}\n\t{name} = {quoted(value)}\n")
    return "".join(lines)


def quoted(text: str) -> str:
    """``text`` as a quoted value or subsection of a configuration file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def base_environ(config_file: str) -> dict[str, str]:
    """The environment every git process gets, complete: nothing is inherited.

    Args:
        config_file: Path of the file with `DEFAULTS` and `ENFORCED`, as the process sees it.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "80",
        "TERM": "dumb",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": ":",
        "GIT_SEQUENCE_EDITOR": ":",
        "GIT_MERGE_AUTOEDIT": "no",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_SSH_COMMAND": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": config_file,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
