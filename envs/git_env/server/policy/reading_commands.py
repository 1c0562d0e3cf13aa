"""The git subcommands that only read, with every option each may be given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from git_env.server.policy.command_grammar import Subcommand, options
from git_env.server.policy.option_groups import DIFF, LOG, NO_DRIVERS, PRETTY, REFS, WALK

READING: Mapping[str, Subcommand] = MappingProxyType(
    {
        "blame": Subcommand(
            options(
                "-L=text -l -t -s -e -w -f --show-name -n --show-number --show-email -p --porcelain"
                " --line-porcelain -M[=number] -C[=number] --reverse --first-parent --since=text --root -c -b"
                " --date=text --abbrev=number --ignore-rev=text"
            )
        ),
        "cat-file": Subcommand(options("-t -s -p -e"), max_positionals=2),
        "check-ignore": Subcommand(options("-v --verbose -n --non-matching --no-index -q --quiet")),
        "cherry": Subcommand(options("-v --verbose --abbrev[=number]"), max_positionals=3),
        "describe": Subcommand(
            options(
                "--dirty[=text] --all --tags --contains --abbrev=number --candidates=number --exact-match"
                " --long --match=text --exclude=text --always --first-parent"
            )
        ),
        "diff": Subcommand(
            options(f"{DIFF} --cached --staged --merge-base -1 -2 -3 --base --ours --theirs"),
            forced=NO_DRIVERS,
        ),
        "diff-tree": Subcommand(options(f"{DIFF} -r -t --root -m -c --cc --no-commit-id --pretty[=text] -v")),
        "for-each-ref": Subcommand(
            options(f"{REFS} --count=number --points-at=text --ignore-case --omit-empty")
        ),
        "format-patch": Subcommand(
            options(
                "--stdout -k --keep-subject -n --numbered -N --no-numbered --start-number=number -s --signoff"
                " --root --subject-prefix=text -v=number --reroll-count=number --cover-letter --no-stat"
                " --no-binary --zero-commit -p --no-renames -U=number --full-index --base=text"
            ),
            numeric=True,
            # Written as files, patches would go through a symbolic link of their name, into .git for one.
            forced=("--stdout",),
        ),
        "grep": Subcommand(
            options(
                "-e=text -i --ignore-case -n --line-number -l --files-with-matches --name-only -L"
                " --files-without-match -c --count -w --word-regexp -v --invert-match -h -H --full-name -E"
                " --extended-regexp -G --basic-regexp -P --perl-regexp -F --fixed-strings -o --only-matching"
                " -A=number --after-context=number -B=number --before-context=number -C=number"
                " --context=number -p --show-function -W --function-context -q --quiet --cached --untracked"
                " --exclude-standard --no-exclude-standard --max-depth=number -m=number --max-count=number"
                " --column --heading --break -a --text -I --and --or --not --all-match -z --null --no-color"
            ),
            numeric=True,
            pattern_first=True,
        ),
        "log": Subcommand(options(LOG), numeric=True, forced=NO_DRIVERS),
        "ls-files": Subcommand(
            options(
                "-c --cached -d --deleted -m --modified -o --others -i --ignored -s --stage -u --unmerged -k"
                " --killed --directory --no-empty-directory --exclude-standard -x=text --exclude=text"
                " --error-unmatch --with-tree=text -t -z --full-name --abbrev[=number] --eol --deduplicate"
            )
        ),
        "ls-tree": Subcommand(
            options(
                "-d -r -t -l --long -z --name-only --name-status --full-name --full-tree --abbrev[=number]"
            )
        ),
        "merge-base": Subcommand(options("-a --all --octopus --independent --is-ancestor --fork-point")),
        "name-rev": Subcommand(
            options("--tags --refs=text --name-only --always --no-undefined --exclude=text")
        ),
        "range-diff": Subcommand(
            options(f"{DIFF} --creation-factor=number --no-dual-color --left-only --right-only")
        ),
        "reflog": Subcommand(
            default_action="show",
            actions={"show": Subcommand(options(LOG), numeric=True, forced=NO_DRIVERS)},
        ),
        "remote": Subcommand(
            options("-v --verbose"),
            default_action="",
            actions={
                "": Subcommand(options("-v --verbose"), max_positionals=0),
                "get-url": Subcommand(options("--all --push"), max_positionals=1),
            },
        ),
        "rev-list": Subcommand(
            options(f"{WALK} {PRETTY} --count --timestamp --objects --header --quiet"), numeric=True
        ),
        "rev-parse": Subcommand(
            options(
                "--verify -q --quiet --short[=number] --abbrev-ref[=strict|loose] --symbolic"
                " --symbolic-full-name --all --branches[=text] --tags[=text] --remotes[=text] --show-toplevel"
                " --show-prefix --show-cdup --git-dir --absolute-git-dir --is-inside-work-tree"
                " --is-inside-git-dir --is-bare-repository --is-shallow-repository --show-object-format"
            )
        ),
        "shortlog": Subcommand(
            options(f"{WALK} -n --numbered -s --summary -e --email -c -w[=text] --group=text --format=text"),
            numeric=True,
            default_positional="HEAD",
        ),
        "show": Subcommand(options(LOG), numeric=True, forced=NO_DRIVERS),
        "show-branch": Subcommand(
            options("-a --all -r --remotes --topo-order --date-order --list --merge-base --sha1-name")
        ),
        "show-ref": Subcommand(
            options(
                "--head --heads --tags -d --dereference -s --hash[=number] --verify --abbrev[=number]"
                " -q --quiet"
            )
        ),
        "status": Subcommand(
            options(
                "-s --short -b --branch --show-stash --porcelain[=v1|v2|1|2] --long -v --verbose"
                " -u[=no|normal|all] --untracked-files[=no|normal|all] --ignored[=traditional|no|matching] -z"
                " --no-column --ahead-behind --no-ahead-behind --renames --no-renames --find-renames[=number]"
                " --ignore-submodules[=none|untracked|dirty|all]"
            )
        ),
        "version": Subcommand(max_positionals=0),
        "whatchanged": Subcommand(options(LOG), numeric=True, forced=NO_DRIVERS),
    }
)
