"""The contract suite finds what it is for: environments that break one promise each fail its tests."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_broken_promise_is_found() -> None:
    broken = Path(__file__).with_name("broken_environments.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-rfE", str(broken)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    failed = defaultdict(set)
    for name, test in re.findall(r"^(?:FAILED|ERROR) \S+::(Test\w+)::(\w+)", done.stdout, re.MULTILINE):
        failed[name].add(test)
    assert failed["TestDeck"] == set(), done.stdout
    assert "test_equal_seeds_give_equal_episodes" in failed["TestUnseeded"]
    assert "test_sessions_never_see_each_other" in failed["TestShared"]
    assert "test_reset_leaves_nothing_of_the_last_episode" in failed["TestShared"]
    assert failed["TestLeaking"] == {"test_closing_frees_everything"}
