"""Find the commit that broke a script, which tells good from bad only where it is run.

The script adds up a ledger and compares the sum with the one that the ledger states. All commits move both,
and from the guilty one on they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import Unmoved
from git_tasks_env.server.kinds.actions import RUN_SCRIPT, SUBMIT, Answer, git
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Workbench

_COMMITS = {"easy": 8, "medium": 24, "hard": 64}
_SCRIPT = """\
#!/bin/sh
# Compares the sum of the amounts with the total that the ledger states.
sum=0
total=0
while read -r kind amount _; do
    case $kind in
        item) sum=$((sum + amount)) ;;
        total) total=$amount ;;
    esac
done <"$(dirname "$0")/ledger.txt"
if [ "$sum" -eq "$total" ]; then
    echo "ok"
else
    echo "the ledger does not add up" >&2
    exit 1
fi
"""


@dataclass
class _Ledger:
    """Amounts, and how far the stated total is off."""

    amounts: list[int]
    error: int = 0

    def text(self) -> str:
        lines = [f"item {amount} number-{number}\n" for number, amount in enumerate(self.amounts, start=1)]
        return "".join(lines) + f"total {sum(self.amounts) + self.error}\n"


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task."""
    answer = Answer(bench)
    folder = bench.free_name("accounts")
    script, ledger_path = f"{folder}/check.sh", f"{folder}/ledger.txt"
    ledger = _Ledger([bench.rng.randrange(100, 999) for _ in range(6)])
    draft = Draft().with_file(script, _SCRIPT).with_file(ledger_path, ledger.text())
    first = bench.commit(draft, bench.start, subject="Keep the accounts")
    commits = [first]
    count = _COMMITS[difficulty]
    guilty = bench.rng.randrange(count // 5, count - count // 5)
    for number in range(count):
        ledger.amounts[bench.rng.randrange(len(ledger.amounts))] += bench.rng.randrange(1, 90)
        if number % 3 == 0:
            ledger.amounts.append(bench.rng.randrange(100, 999))
        if number == guilty:
            ledger.error = bench.rng.choice((-1, 1)) * bench.rng.randrange(2, 60)
        draft = bench.noise(draft).with_file(ledger_path, ledger.text())
        commits.append(bench.commit(draft, commits[-1]))
    broken = commits[guilty + 1]
    trunk = f"refs/heads/{bench.trunk()}"
    refs = {trunk: commits[-1]}
    return Task(
        base=bench.base.start,
        instruction=(
            f"The script `{script}` fails. It worked at commit {first[:12]}. Find the commit that broke "
            "it: the first at which it fails. The action run_script runs it on the files as they are "
            f"checked out; git bisect works. {answer.request} Leave the branches as they are."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(answer.goal(broken, {commits[guilty]: 0.3, commits[guilty + 2]: 0.3}),),
        guards=(Unmoved(refs),),
        solution=(
            RUN_SCRIPT,
            git("checkout", "--detach", f"{broken}~1"),
            RUN_SCRIPT,
            git("checkout", "--detach", broken),
            RUN_SCRIPT,
            git("tag", answer.name, broken),
            SUBMIT,
        ),
        script=script,
    )
