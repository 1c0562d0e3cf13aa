"""Groups of options that several git subcommands share; what is missing from them is missing on purpose."""

from __future__ import annotations

STRATEGIES = "ort|recursive|resolve|octopus|ours|subtree"
STRATEGY_OPTIONS = (
    "ours|theirs|patience|diff-algorithm=patience|diff-algorithm=histogram|diff-algorithm=minimal"
    "|ignore-space-change|ignore-all-space|ignore-space-at-eol|ignore-cr-at-eol|no-renames|find-renames"
)
STRATEGY = (
    f"-s={STRATEGIES} --strategy={STRATEGIES} -X={STRATEGY_OPTIONS} --strategy-option={STRATEGY_OPTIONS}"
)
SEQUENCER = "--continue --abort --skip --quit"

DIFF = """
    -p -u --patch -s --no-patch -U=number --unified=number -W --function-context --raw --minimal --patience
    --histogram --diff-algorithm=patience|minimal|histogram|myers|default --anchored=text --stat[=text]
    --numstat --shortstat --dirstat[=text] --summary --patch-with-stat --compact-summary
    --name-only --name-status -z --no-color --color-moved[=no|default|plain|blocks|zebra]
    --word-diff[=plain|porcelain|none] --word-diff-regex=text
    --no-renames --check --full-index --binary --abbrev[=number] -B[=number]
    -M[=number] --find-renames[=number] -C[=number] --find-copies[=number] --find-copies-harder
    -D --irreversible-delete -l=number --diff-filter=text -S=text -G=text --pickaxe-all --pickaxe-regex -R
    --relative[=path] -a --text --ignore-cr-at-eol --ignore-space-at-eol -b --ignore-space-change -w
    --ignore-all-space --ignore-blank-lines -I=text --inter-hunk-context=number
    --src-prefix=text --dst-prefix=text --no-prefix --no-ext-diff --no-textconv --exit-code --quiet
    --ignore-submodules[=none|untracked|dirty|all]
"""
WALK = """
    -n=number --max-count=number --skip=number --since=text --after=text --until=text --before=text
    --author=text --committer=text --grep=text --all-match --invert-grep -i --regexp-ignore-case -E
    --extended-regexp -F --fixed-strings -P --perl-regexp --merges --no-merges --min-parents=number
    --max-parents=number --first-parent --all --branches[=text] --tags[=text] --remotes[=text] --exclude=text
    --reverse --ancestry-path --topo-order --date-order --author-date-order --left-right --left-only
    --right-only --cherry --cherry-pick --cherry-mark --boundary --simplify-merges --full-history --dense
    --sparse --not --children --parents --graph --no-walk
"""
PRETTY = """
    --oneline --pretty[=text] --format=text --abbrev-commit --no-abbrev-commit --no-abbrev --date=text
    --relative-date --decorate[=short|full|auto|no] --no-decorate --decorate-refs=text
    --decorate-refs-exclude=text --source --notes[=text] --no-notes --encoding=text --expand-tabs[=number]
    --no-expand-tabs --full-diff --log-size --mailmap --no-mailmap
"""
LOG = f"""
    {DIFF} {WALK} {PRETTY}
    -L=text --follow -m -c --cc --no-diff-merges --diff-merges=text -t -g --walk-reflogs
"""
NO_DRIVERS = ("--no-ext-diff", "--no-textconv")
REFS = (
    "--sort=text --format=text --contains[=text] --no-contains[=text] --merged[=text] --no-merged[=text] -i"
)
STASH_PUSH = """
    -k --keep-index --no-keep-index -u --include-untracked -a --all -q --quiet
    -m=text --message=text -S --staged
"""
