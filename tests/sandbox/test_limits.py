"""What one program may take of time, memory, processes, disk and output, for a root owner too."""

from __future__ import annotations

import signal
import uuid

import pytest
from sandbox_scene import living, python_inside

from openenv_gym.sandbox import Limits, Sandbox, SandboxSpec, open_sandbox

MIB = 1 << 20


def python(sandbox: Sandbox, source: str, **options):
    return sandbox.run([python_inside(sandbox), "-I", "-S", "-c", source], **options)


def test_an_endless_loop_ends_with_its_time(sandbox) -> None:
    completed = sandbox.run(["sh", "-c", "while :; do :; done"], timeout=0.3)
    assert completed.timed_out
    assert completed.stopped_by == "wall_seconds"
    assert completed.exit_code == -signal.SIGKILL
    assert sandbox.run(["echo", "on"]).stdout == b"on\n"


def test_a_sleeper_that_ignores_signals_ends_with_its_time(sandbox) -> None:
    assert sandbox.run(["sh", "-c", "trap '' TERM INT HUP; sleep 60"], timeout=0.3).timed_out


def test_output_before_the_time_is_kept(sandbox) -> None:
    for timeout in (0.5, 15.0):  # on a busy machine, half a second may be over before the shell has started
        completed = sandbox.run(["sh", "-c", "echo started; sleep 60"], timeout=timeout)
        assert completed.timed_out
        if completed.stdout:
            break
    assert completed.stdout == b"started\n"


def test_processor_time_is_limited(opened) -> None:
    sandbox = opened(limits=Limits(cpu_seconds=1))
    completed = sandbox.run(["sh", "-c", "while :; do :; done"])
    assert completed.exit_code in (-signal.SIGXCPU, -signal.SIGKILL)
    assert completed.stopped_by is None


def test_an_endless_printer_is_cut_off_and_stopped(opened) -> None:
    sandbox = opened(limits=Limits(output_bytes=10_000))
    completed = sandbox.run(["yes"])
    assert completed.stopped_by == "output_bytes"
    assert completed.truncated
    assert completed.stdout == b"y\n" * 5000


def test_output_beyond_the_limit_does_not_change_the_exit_code(opened) -> None:
    sandbox = opened(limits=Limits(output_bytes=1000))
    completed = sandbox.run(["sh", "-c", "head -c 5000 /dev/zero; head -c 3000 /dev/zero >&2; exit 3"])
    assert (completed.exit_code, completed.stopped_by, completed.truncated) == (3, None, True)
    assert (len(completed.stdout), len(completed.stderr)) == (1000, 1000)


def test_a_fork_bomb_hits_the_process_limit(opened) -> None:
    sandbox = opened(limits=Limits(processes=20))
    source = """
import os, time
children = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
        children += 1
except OSError:
    print(children)
"""
    completed = python(sandbox, source)
    assert 10 <= int(completed.stdout) <= 20
    assert python(sandbox, "import os; print(os.fork() >= 0)").exit_code == 0


def test_a_real_fork_bomb_leaves_a_working_sandbox(opened) -> None:
    sandbox = opened(limits=Limits(processes=30))
    marker = f"bomb-{uuid.uuid4().hex}"
    completed = sandbox.run(["sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 60", marker], timeout=1)
    assert completed.timed_out
    assert living(marker) == []
    assert sandbox.run(["echo", "on"]).stdout == b"on\n"


def test_one_process_cannot_take_more_memory(opened) -> None:
    sandbox = opened(limits=Limits(memory_bytes=200 * MIB))
    completed = python(sandbox, f"x = bytearray({300 * MIB})")
    assert completed.exit_code == 1
    assert b"MemoryError" in completed.stderr


def test_files_in_memory_are_limited(opened) -> None:
    sandbox = opened()
    completed = sandbox.run(
        ["sh", "-c", "head -c 2G /dev/zero > /dev/shm/full || head -c 2G /dev/zero > /tmp/full"]
    )
    assert completed.exit_code != 0


def test_one_file_cannot_be_larger(opened, workspace) -> None:
    sandbox = opened(limits=Limits(file_bytes=MIB))
    completed = sandbox.run(["dd", "if=/dev/zero", "of=big", "bs=64K", "count=100"])
    assert completed.exit_code == -signal.SIGXFSZ
    assert (workspace / "big").stat().st_size == MIB


def test_many_files_cannot_fill_the_disk(opened, workspace) -> None:
    sandbox = opened(limits=Limits(file_bytes=MIB, disk_bytes=20 * MIB))
    source = """
data, number = bytes(1 << 20), 0
while True:
    with open(f"file{number}", "wb") as file:
        file.write(data)
    number += 1
    import time; time.sleep(0.002)
"""
    completed = python(sandbox, source)
    assert completed.stopped_by == "disk_bytes"


def test_a_quick_program_that_leaves_too_much_is_told(opened) -> None:
    sandbox = opened(limits=Limits(disk_bytes=MIB))
    completed = sandbox.run(["head", "-c", "3000000", "/dev/zero"], cwd="/workspace")
    assert completed.stopped_by is None
    completed = sandbox.run(["dd", "if=/dev/zero", "of=big", "bs=1M", "count=3", "conv=fsync"])
    assert completed.exit_code == 0
    assert completed.stopped_by == "disk_bytes"


def test_a_folder_that_cannot_be_measured_counts_as_too_much(opened) -> None:
    sandbox = opened(limits=Limits(disk_bytes=2 * MIB))
    completed = sandbox.run(["sh", "-c", "mkdir h; head -c 3M /dev/zero > h/f; chmod 0 h; sleep 20"])
    assert completed.stopped_by == "disk_bytes"


def test_a_folder_too_deep_to_be_measured_counts_as_too_much(opened) -> None:
    sandbox = opened(limits=Limits(disk_bytes=2 * MIB))
    source = """
import os, time
for _ in range(300):
    os.mkdir("deep")
    os.chdir("deep")
time.sleep(20)
"""
    assert python(sandbox, source).stopped_by == "disk_bytes"


def test_open_files_are_limited(opened) -> None:
    sandbox = opened(limits=Limits(open_files=30))
    completed = python(sandbox, "x = [open('/dev/null') for _ in range(40)]")
    assert b"Too many open files" in completed.stderr


def test_a_program_can_be_given_limits_of_its_own(sandbox) -> None:
    completed = sandbox.run(["head", "-c", "500", "/dev/zero"], limits=Limits(output_bytes=100))
    assert len(completed.stdout) == 100
    assert len(sandbox.run(["head", "-c", "500", "/dev/zero"]).stdout) == 500


def test_memory_held_by_many_processes_is_added_up() -> None:
    """Only where the sandbox sees its own processes and no others."""
    with open_sandbox(SandboxSpec(limits=Limits(memory_bytes=150 * MIB)), "bubblewrap") as sandbox:
        source = f"""
import os, time
for _ in range(6):
    if os.fork() == 0:
        break
x = bytearray(os.urandom(1) * {60 * MIB})
time.sleep(20)
"""
        completed = python(sandbox, source)
    assert completed.stopped_by == "memory_bytes"


BACKGROUND = {
    "a job": "sh -c 'sleep 60; : MARKER' & echo started",
    "a job that ignores signals": "trap '' HUP TERM INT; sh -c 'sleep 60; : MARKER' & echo started",
    "an orphan": "(sh -c 'sleep 60; : MARKER' &); echo started",
    "a session of its own": "setsid sh -c 'sleep 60; : MARKER' >/dev/null 2>&1 & sleep 0.1; echo started",
}


@pytest.mark.parametrize("script", BACKGROUND.values(), ids=BACKGROUND.keys())
def test_nothing_is_left_running_in_the_background(sandbox, script) -> None:
    marker = f"left-{uuid.uuid4().hex}"
    completed = sandbox.run(["sh", "-c", script.replace("MARKER", marker)])
    assert completed.stdout == b"started\n"
    assert living(marker) == []
