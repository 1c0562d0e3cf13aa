"""The git subcommands an agent may run.

What is missing is missing on purpose: options that run a program (``--exec``, ``--upload-pack``,
``--open-files-in-pager``, ``--ext-diff``, ``--textconv``, signing), that read or write files elsewhere
(``--output``, ``--no-index``, ``--template``), that wait for a terminal (``-i``, ``-p``), that go into
submodules, or whose output depends on the machine (``ls-files --debug``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from git_env.server.policy.command_grammar import Subcommand, options
from git_env.server.policy.reading_commands import READING
from git_env.server.policy.writing_commands import WRITING

SUBCOMMANDS: Mapping[str, Subcommand] = MappingProxyType({**READING, **WRITING})

# Read here, carried out by the environment itself: they need the host's mirror (remote_operations.py).
REMOTE_SUBCOMMANDS: Mapping[str, Subcommand] = MappingProxyType(
    {
        "fetch": Subcommand(
            options("--all -p --prune -t --tags --no-tags -q --quiet -v --verbose -n -f --force --dry-run"),
            writes=True,
        ),
        "pull": Subcommand(
            options(
                "-r --rebase[=true|false] --no-rebase --ff --no-ff --ff-only --no-edit --autostash -q --quiet"
                " --stat -n --no-stat"
            ),
            writes=True,
        ),
        "push": Subcommand(
            options("-u --set-upstream -f --force -q --quiet -v --verbose --no-verify"), writes=True
        ),
    }
)
