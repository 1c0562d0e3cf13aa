"""The git subcommands that change the workspace, with every option each may be given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from git_env.server.policy.command_grammar import Subcommand, options
from git_env.server.policy.option_groups import DIFF, LOG, REFS, SEQUENCER, STASH_PUSH, STRATEGY


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
            "push": Subcommand(options(STASH_PUSH), writes=True),
            "list": Subcommand(options(LOG), numeric=True),
            "show": Subcommand(options(f"{DIFF} --include-untracked --only-untracked"), max_positionals=1),
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


WRITING: Mapping[str, Subcommand] = MappingProxyType(
    {
        "add": Subcommand(
            options(
                "-n --dry-run -v --verbose -f --force -A --all --no-all --no-ignore-removal -u --update -N"
                " --intent-to-add --refresh --ignore-errors --ignore-missing --renormalize --chmod=+x|-x"
            ),
            writes=True,
        ),
        "am": Subcommand(
            options(
                f"{SEQUENCER} --show-current-patch[=diff|raw] -3 --3way --no-3way -s --signoff -k --keep"
                " -c --scissors --no-scissors -q --quiet --ignore-space-change --ignore-whitespace"
                " --whitespace=nowarn|warn|fix|error|error-all -C=number -p=number"
                " --committer-date-is-author-date -m --message-id"
            ),
            writes=True,
            follows_links=True,
        ),
        "apply": Subcommand(
            options(
                "--stat --numstat --summary --check --index -N --intent-to-add --cached -3 --3way --apply"
                " -R --reverse -z -p=number -C=number --unidiff-zero --allow-overlap --no-add"
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
                f"{REFS} -d --delete -D -m --move -M -c --copy -C -f --force -l --list -a --all -r --remotes"
                " -v --verbose -q --quiet --abbrev[=number] --no-abbrev -t --track[=direct|inherit]"
                " --no-track -u=text --set-upstream-to=text --unset-upstream --show-current --points-at=text"
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
                f"{SEQUENCER} {STRATEGY} -e --edit --no-edit -n --no-commit -x -m=number --mainline=number"
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
                " --reset-author --author=text --date=text --short --branch --porcelain --long -z -s"
                " --signoff --no-signoff -n --no-verify --no-post-rewrite -i --include -o --only -v --verbose"
                " -q --quiet --dry-run --status --no-status"
                " --cleanup=strip|whitespace|verbatim|scissors|default"
                " --no-gpg-sign -u[=no|normal|all] --untracked-files[=no|normal|all]"
            ),
            writes=True,
        ),
        "merge": Subcommand(
            options(
                f"{STRATEGY} --commit --no-commit -e --edit --no-edit --ff --no-ff --ff-only --squash"
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
                f"{SEQUENCER} {STRATEGY} --onto=text --keep-base --root -m --merge --apply"
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
                f"{SEQUENCER} {STRATEGY} -e --edit --no-edit -n --no-commit -m=number --mainline=number"
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
                f"{REFS} -a --annotate -m=text --message=text -f --force -d --delete -n[=number] -l --list"
                " --points-at=text --no-column --no-color --ignore-case --create-reflog"
            ),
            writes=True,
        ),
    }
)
