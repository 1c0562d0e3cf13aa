from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Frees three pieces together and takes them again: what lies at the end of the heap is then given back each
# time, and every page of it is a fault when it is used again.
PROGRAM = """
import resource, sys
from openenv_gym.server.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def churn(times):
    for _ in range(times):
        pieces = [bytearray(2**20) for _ in range(3)]

churn(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
churn(100)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(argument: str, **environ: str) -> int:
    told = ("MALLOC", "GLIBC")  # as whoever runs the tests may have
    environ = {name: value for name, value in os.environ.items() if not name.startswith(told)} | environ
    command = [sys.executable, "-c", PROGRAM, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=60)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_memory_that_is_freed_again_and_again_costs_no_page_faults() -> None:
    assert page_faults("leave") > 10_000
    assert page_faults("keep") < 1_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_an_operators_own_setting_stands() -> None:
    assert page_faults("keep", MALLOC_TRIM_THRESHOLD_="131072") > 10_000
