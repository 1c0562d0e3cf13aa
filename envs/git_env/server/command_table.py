"""The git subcommands an agent may run, and every option each may be given.

What is missing is missing on purpose: options that run a program (``--exec``, ``--upload-pack``,
``--open-files-in-pager``, ``--ext-diff``, ``--textconv``, signing), that read or write files elsewhere
(``--output``, ``--no-index``, ``--template``), that wait for a terminal (``-i``, ``-p``), that go into
submodules, or whose output depends on the machine (``ls-files --debug``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from git_env.server.command_grammar import Subcommand, options

_STRATEGIES = "ort|recursive|resolve|octopus|ours|subtree"
_STRATEGY_OPTIONS = (
    "ours|theirs|patience|diff-algorithm=patience|diff-algorithm=histogram|diff-algorithm=minimal"
    "|ignore-space-change|ignore-all-space|ignore-space-at-eol|ignore-cr-at-eol|no-renames|find-renames"
)
_STRATEGY = (
    f"-s={_STRATEGIES} --strategy={_STRATEGIES} -X={_STRATEGY_OPTIONS} --strategy-option={_STRATEGY_OPTIONS}"
)
_SEQUENCER = "--continue --abort --skip --quit"

_DIFF = """
    -p -u --patch -s --no-patch -U=number --unified=number -W --function-context --raw --minimal --patience
    --histogram --diff-algorithm=patience|minimal|histogram|myers|default --anchored=text --stat[=text] --numstat
    --shortstat --dirstat[=text] --summary --patch-with-stat --compact-summary --name-only --name-status -z
    --no-color --color-moved[=no|default|plain|blocks|zebra] --word-diff[=plain|porcelain|none]
    --word-diff-regex=text --no-renames --check --full-index --binary --abbrev[=number] -B[=number]
    -M[=number] --find-renames[=number] -C[=number] --find-copies[=number] --find-copies-harder
    -D --irreversible-delete -l=number --diff-filter=text -S=text -G=text --pickaxe-all --pickaxe-regex -R
    --relative[=path] -a --text --ignore-cr-at-eol --ignore-space-at-eol -b --ignore-space-change -w
    --ignore-all-space --ignore-blank-lines -I=text --inter-hunk-context=number
    --src-prefix=text --dst-prefix=text --no-prefix --no-ext-diff --no-textconv --exit-code --quiet
    --ignore-submodules[=none|untracked|dirty|all]
"""
_WALK = """
    -n=number --max-count=number --skip=number --since=text --after=text --until=text --before=text
    --author=text --committer=text --grep=text --all-match --invert-grep -i --regexp-ignore-case -E
    --extended-regexp -F --fixed-strings -P --perl-regexp --merges --no-merges --min-parents=number
    --max-parents=number --first-parent --all --branches[=text] --tags[=text] --remotes[=text] --exclude=text
    --reverse --ancestry-path --topo-order --date-order --author-date-order --left-right --left-only
    --right-only --cherry --cherry-pick --cherry-mark --boundary --simplify-merges --full-history --dense
    --sparse --not --children --parents --graph --no-walk
"""
_PRETTY = """
    --oneline --pretty[=text] --format=text --abbrev-commit --no-abbrev-commit --no-abbrev --date=text
    --relative-date --decorate[=short|full|auto|no] --no-decorate --decorate-refs=text
    --decorate-refs-exclude=text --source --notes[=text] --no-notes --encoding=text --expand-tabs[=number]
    --no-expand-tabs --full-diff --log-size --mailmap --no-mailmap
"""
_LOG = f"{_DIFF} {_WALK} {_PRETTY} -L=text --follow -m -c --cc --no-diff-merges --diff-merges=text -t -g --walk-reflogs"
_NO_DRIVERS = ("--no-ext-diff", "--no-textconv")
_REFS = (
    "--sort=text --format=text --contains[=text] --no-contains[=text] --merged[=text] --no-merged[=text] -i"
)
_STASH_PUSH = "-k --keep-index --no-keep-index -u --include-untracked -a --all -q --quiet -m=text --message=text -S --staged"


def _bisect() -> Subcommand:
    mark = Subcommand(writes=True)
    return Subcommand(
        writes=True,
        actions={
            "start": Subcommand(options("--no-checkout --first-parent"), writes=True),
            **dict.fromkeys(("good", "bad", "new", "old", "skip", "reset", "next"), mark),
            "log": Subcommand(max_positionals=0),
            "terms": Subcommand(options("--term-good --term-bad --term-old --term-new"), max_positionals=0),
        },
    )


def _stash() -> Subcommand:
    restore = Subcommand(options("--index -q --quiet"), writes=True, max_positionals=1)
    return Subcommand(
        writes=True,
        default_action="push",
        actions={
            "push": Subcommand(options(_STASH_PUSH), writes=True),
            "list": Subcommand(options(_LOG), numeric=True),
            "show": Subcommand(options(f"{_DIFF} --include-untracked --only-untracked"), max_positionals=1),
            "pop": restore,
            "apply": restore,
            "drop": Subcommand(options("-q --quiet"), writes=True, max_positionals=1),
            "clear": Subcommand(writes=True, max_positionals=0),
            "branch": Subcommand(writes=True, max_positionals=2),
        },
    )


def _notes() -> Subcommand:
    write = Subcommand(options("-m=text -f --force --allow-empty -C=text"), writes=True, max_positionals=1)
    return Subcommand(
        writes=True,
        default_action="list",
        actions={
            "list": Subcommand(max_positionals=1),
            "show": Subcommand(max_positionals=1),
            "add": write,
            "append": write,
            "remove": Subcommand(options("--ignore-missing"), writes=True),
        },
    )


def _table() -> dict[str, Subcommand]:
    reading = {
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
            options(f"{_DIFF} --cached --staged --merge-base -1 -2 -3 --base --ours --theirs"),
            forced=_NO_DRIVERS,
        ),
        "diff-tree": Subcommand(
            options(f"{_DIFF} -r -t --root -m -c --cc --no-commit-id --pretty[=text] -v")
        ),
        "for-each-ref": Subcommand(
            options(f"{_REFS} --count=number --points-at=text --ignore-case --omit-empty")
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
        "log": Subcommand(options(_LOG), numeric=True, forced=_NO_DRIVERS),
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
            options(f"{_DIFF} --creation-factor=number --no-dual-color --left-only --right-only")
        ),
        "reflog": Subcommand(
            default_action="show",
            actions={"show": Subcommand(options(_LOG), numeric=True, forced=_NO_DRIVERS)},
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
            options(f"{_WALK} {_PRETTY} --count --timestamp --objects --header --quiet"), numeric=True
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
            options(f"{_WALK} -n --numbered -s --summary -e --email -c -w[=text] --group=text --format=text"),
            numeric=True,
            default_positional="HEAD",
        ),
        "show": Subcommand(options(_LOG), numeric=True, forced=_NO_DRIVERS),
        "show-branch": Subcommand(
            options(
                "-a --all -r --remotes --topo-order --date-order --list --merge-base --sha1-name --no-color"
            )
        ),
        "show-ref": Subcommand(
            options(
                "--head --heads --tags -d --dereference -s --hash[=number] --verify --abbrev[=number] -q --quiet"
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
        "whatchanged": Subcommand(options(_LOG), numeric=True, forced=_NO_DRIVERS),
    }
    writing = {
        "add": Subcommand(
            options(
                "-n --dry-run -v --verbose -f --force -A --all --no-all --no-ignore-removal -u --update -N"
                " --intent-to-add --refresh --ignore-errors --ignore-missing --renormalize --chmod=+x|-x"
            ),
            writes=True,
        ),
        "am": Subcommand(
            options(
                f"{_SEQUENCER} --show-current-patch[=diff|raw] -3 --3way --no-3way -s --signoff -k --keep"
                " -c --scissors --no-scissors -q --quiet --ignore-space-change --ignore-whitespace"
                " --whitespace=nowarn|warn|fix|error|error-all -C=number -p=number --reject"
                " --committer-date-is-author-date -m --message-id"
            ),
            writes=True,
            follows_links=True,
        ),
        "apply": Subcommand(
            options(
                "--stat --numstat --summary --check --index -N --intent-to-add --cached -3 --3way --apply"
                " -R --reverse --reject -z -p=number -C=number --unidiff-zero --allow-overlap --no-add"
                " --allow-binary-replacement --binary --exclude=text --include=text --ignore-space-change"
                " --ignore-whitespace --whitespace=nowarn|warn|fix|error|error-all --inaccurate-eof -v"
                " --verbose -q --quiet --recount"
            ),
            writes=True,
            follows_links=True,
        ),
        "bisect": _bisect(),
        "branch": Subcommand(
            options(
                f"{_REFS} -d --delete -D -m --move -M -c --copy -C -f --force -l --list -a --all -r --remotes -v"
                " --verbose -q --quiet --abbrev[=number] --no-abbrev -t --track[=direct|inherit] --no-track"
                " -u=text --set-upstream-to=text --unset-upstream --show-current --points-at=text"
                " --no-column --no-color --ignore-case"
            ),
            writes=True,
        ),
        "checkout": Subcommand(
            options(
                "-q --quiet -f --force --ours --theirs -b=text -B=text -t --track[=direct|inherit] --no-track"
                " --guess --no-guess -l -d --detach --orphan=text -m --merge --conflict=merge|diff3|zdiff3"
                " --no-progress --overlay --no-overlay"
            ),
            writes=True,
        ),
        "cherry-pick": Subcommand(
            options(
                f"{_SEQUENCER} {_STRATEGY} -e --edit --no-edit -n --no-commit -x -m=number --mainline=number"
                " --signoff --ff --allow-empty --allow-empty-message --keep-redundant-commits"
                " --cleanup=strip|whitespace|verbatim|scissors|default"
            ),
            writes=True,
        ),
        "clean": Subcommand(
            options("-d -f --force -n --dry-run -q --quiet -x -X -e=text --exclude=text"), writes=True
        ),
        "commit": Subcommand(
            options(
                "-a --all -m=text --message=text -F=path --file=path -C=text --reuse-message=text --amend"
                " --no-edit -e --edit --allow-empty --allow-empty-message --fixup=text --squash=text"
                " --reset-author --author=text --date=text --short --branch --porcelain --long -z -s --signoff"
                " --no-signoff -n --no-verify --no-post-rewrite -i --include -o --only -v --verbose -q --quiet"
                " --dry-run --status --no-status --cleanup=strip|whitespace|verbatim|scissors|default"
                " --no-gpg-sign -u[=no|normal|all] --untracked-files[=no|normal|all]"
            ),
            writes=True,
        ),
        "format-patch": Subcommand(
            options(
                "--stdout -k --keep-subject -n --numbered -N --no-numbered --start-number=number -s --signoff"
                " --root --subject-prefix=text -v=number --reroll-count=number --cover-letter --no-stat"
                " --no-binary --zero-commit -p --no-renames -U=number --full-index --base=text"
            ),
            writes=True,
            numeric=True,
        ),
        "merge": Subcommand(
            options(
                f"{_STRATEGY} --commit --no-commit -e --edit --no-edit --ff --no-ff --ff-only --squash"
                " --no-squash --log[=number] --no-log --stat -n --no-stat -m=text -F=path --file=path"
                " --allow-unrelated-histories --abort --quit --continue -q --quiet -v --verbose --signoff"
                " --autostash --no-autostash --no-verify --no-progress --into-name=text"
                " --cleanup=strip|whitespace|verbatim|scissors|default"
            ),
            writes=True,
        ),
        "mv": Subcommand(options("-f --force -k -n --dry-run -v --verbose"), writes=True, follows_links=True),
        "notes": _notes(),
        "rebase": Subcommand(
            options(
                f"{_SEQUENCER} {_STRATEGY} --onto=text --keep-base --root -m --merge --apply"
                " --empty=drop|keep|ask --keep-empty --no-keep-empty --autostash --no-autostash --stat -n"
                " --no-stat --no-verify -f --force-rebase --no-ff --fork-point --no-fork-point -q --quiet"
                " -v --verbose --show-current-patch --committer-date-is-author-date"
                " --ignore-whitespace --reapply-cherry-picks --no-reapply-cherry-picks --signoff"
            ),
            writes=True,
            max_positionals=2,
        ),
        "reset": Subcommand(
            options(
                "--soft --mixed --hard --merge --keep -q --quiet -N --intent-to-add --no-refresh --refresh"
            ),
            writes=True,
        ),
        "restore": Subcommand(
            options(
                "-s=text --source=text -S --staged -W --worktree -q --quiet --ours --theirs -m --merge"
                " --conflict=merge|diff3|zdiff3 --ignore-unmerged --overlay --no-overlay --no-progress"
            ),
            writes=True,
        ),
        "revert": Subcommand(
            options(
                f"{_SEQUENCER} {_STRATEGY} -e --edit --no-edit -n --no-commit -m=number --mainline=number"
                " --signoff --cleanup=strip|whitespace|verbatim|scissors|default"
            ),
            writes=True,
        ),
        "rm": Subcommand(
            options("-f --force -n --dry-run -r --cached --ignore-unmatch -q --quiet"), writes=True
        ),
        "stage": Subcommand(
            options("-A --all -u --update -f --force -v --verbose -n --dry-run"), writes=True
        ),
        "stash": _stash(),
        "switch": Subcommand(
            options(
                "-c=text --create=text -C=text --force-create=text -d --detach --guess --no-guess -f --force"
                " --discard-changes -m --merge --conflict=merge|diff3|zdiff3 -q --quiet -t"
                " --track[=direct|inherit] --no-track --orphan=text --no-progress"
            ),
            writes=True,
        ),
        "tag": Subcommand(
            options(
                f"{_REFS} -a --annotate -m=text --message=text -f --force -d --delete -n[=number] -l --list"
                " --points-at=text --no-column --no-color --ignore-case --create-reflog"
            ),
            writes=True,
        ),
    }
    return reading | writing


SUBCOMMANDS: Mapping[str, Subcommand] = MappingProxyType(_table())

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
