"""Starting, sharing and ending sandboxes: nothing is left of one, however its owner ends."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest
from sandbox_scene import living, python_inside

from openenv_gym.errors import ClosedError, SandboxError, UsageError
from openenv_gym.sandbox import Limits, Mount, SandboxSpec, open_sandbox
from openenv_gym.sandbox.identity import Identity
from openenv_gym.testing import process_tree


def until(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_program_gets_its_arguments_input_folder_and_environment(sandbox, workspace) -> None:
    sandbox.write_file("sub/x", b"")
    completed = sandbox.run(
        ["sh", "-c", 'cat; echo "$1|$NAME|${SECRET-none}"; pwd; echo no >&2; exit 7', "sh", "a b;$(id)*"],
        cwd="sub",
        stdin=b"in\n",
        environ={"NAME": "n"},
    )
    assert completed.exit_code == 7
    assert completed.stdout.decode().splitlines() == ["in", "a b;$(id)*|n|none", sandbox.path_inside("sub")]
    assert completed.stderr == b"no\n"
    assert not completed.truncated
    assert completed.stopped_by is None


def test_a_long_input_meets_a_long_output(sandbox) -> None:
    data = os.urandom(900_000)
    assert sandbox.run(["cat"], stdin=data).stdout == data


def test_a_program_may_leave_its_input_unread(sandbox) -> None:
    assert sandbox.run(["true"], stdin=bytes(1 << 20)).exit_code == 0


def test_a_program_that_writes_to_a_closed_pipe_dies_as_usual(sandbox) -> None:
    assert sandbox.run(["sh", "-c", "yes | head -n 1"]).stdout == b"y\n"


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["no-such-program"], FileNotFoundError),
        (["/etc"], PermissionError),
        (["/workspace/none"], FileNotFoundError),
    ],
)
def test_what_cannot_be_started_raises(sandbox, argv, error) -> None:
    with pytest.raises(error):
        sandbox.run(argv)
    assert sandbox.run(["true"]).exit_code == 0


def test_a_missing_working_folder_raises(sandbox) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.run(["true"], cwd="none")


@pytest.mark.parametrize("argv", [[], "ls -l", ["a\0b"]])
def test_argument_lists_that_cannot_work_are_refused(sandbox, argv) -> None:
    with pytest.raises(UsageError):
        sandbox.run(argv)


def test_content_swapped_in_by_rename_is_seen(sandbox, workspace, base) -> None:
    for number in range(2):
        fresh = base / f"fresh{number}"
        fresh.mkdir()
        (fresh / "file").write_text(str(number))
        sandbox.adopt(fresh)
        if (workspace / "repo").exists():
            (workspace / "repo").rename(base / "old")
        fresh.rename(workspace / "repo")
        assert sandbox.run(["sh", "-c", "cat repo/file; rm repo/file"]).stdout == str(number).encode()


def test_paths_are_translated_both_ways(sandbox, workspace, mechanism) -> None:
    inside = sandbox.path_inside("/workspace/a")
    assert inside == ("/workspace/a" if mechanism == "bubblewrap" else f"{workspace}/a")
    assert sandbox.path_outside("/workspace/a") == workspace / "a"
    assert sandbox.path_inside("/usr/bin/git") == "/usr/bin/git"
    with pytest.raises(UsageError):
        sandbox.path_outside("/usr/bin/git")


def test_a_long_lived_program_talks_over_pipes(sandbox) -> None:
    with sandbox.popen(["cat"]) as process:
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            assert process.stdout.readline() == line
        assert process.poll() is None
        assert sandbox.run(["echo", "besides"]).stdout == b"besides\n"
        process.stdin.close()
        assert process.wait(10) == 0
        assert process.poll() == 0


def test_a_long_lived_program_is_killed_with_its_children(sandbox) -> None:
    marker = f"child-{uuid.uuid4().hex}"
    with sandbox.popen(["sh", "-c", f"sh -c 'echo up; sleep 60; : {marker}'; :"]) as process:
        assert process.stdout.readline() == b"up\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert process.returncode == -signal.SIGKILL
        assert process.stdout.read() == b""
    assert not living(marker)


def test_a_long_lived_program_ends_with_its_time(opened) -> None:
    with opened().popen(["sleep", "60"], limits=Limits(wall_seconds=0.2)) as process:
        assert process.stopped_by is None
        assert process.wait(20) == -signal.SIGKILL
        assert process.stopped_by == "wall_seconds"


def test_a_long_lived_program_is_signalled_alone(sandbox) -> None:
    command = "trap 'echo caught; exit 3' INT; sh -c 'sleep 60; :' & echo up; wait"
    with sandbox.popen(["sh", "-c", command]) as process:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"caught\n"
        assert process.wait(20) == 3
        assert process.stopped_by is None
        process.send_signal(signal.SIGINT)  # has no effect any more


DESCRIPTORS = """
import os
for descriptor in range(100):
    try:
        os.fstat(descriptor)
    except OSError:
        continue
    print(descriptor, end=" ")
"""


def test_a_long_lived_program_has_no_descriptors_but_its_own(sandbox) -> None:
    with sandbox.popen([python_inside(sandbox), "-c", DESCRIPTORS]) as process:
        assert process.stdout.read() == b"0 1 2 "


def test_a_long_lived_program_takes_a_socket_for_its_input(sandbox) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = "read line; echo got $line >&0; echo aside; read line"
        with sandbox.popen(["sh", "-c", command], stdin=theirs.fileno()) as process:
            theirs.close()
            assert process.stdin is None
            ours.sendall(b"one\n")
            assert ours.recv(100) == b"got one\n"
            assert process.stdout.readline() == b"aside\n"
            assert process.poll() is None
            ours.shutdown(socket.SHUT_WR)
            assert process.wait(20) == 1


def test_closing_twice_and_using_afterwards(opened) -> None:
    sandbox = opened()
    sandbox.close()
    sandbox.close()
    assert not sandbox.usable
    with pytest.raises(ClosedError):
        sandbox.run(["true"])


def test_closing_ends_a_call_in_another_thread(opened) -> None:
    sandbox = opened()
    marker = f"running-{uuid.uuid4().hex}"
    raised = []

    def run() -> None:
        try:
            sandbox.run(["sh", "-c", f"sleep 60; : {marker}"])
        except ClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert until(lambda: living(marker))
    sandbox.close()
    thread.join(20)
    assert raised
    assert not living(marker)


def test_nothing_is_left_after_close(mechanism, base, monkeypatch) -> None:
    private = base / "tmp"
    private.mkdir()
    private.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    marker = f"alive-{uuid.uuid4().hex}"
    before = sorted(Path("/proc/self/fd").iterdir())
    with open_sandbox(SandboxSpec(), mechanism) as sandbox:
        sandbox.write_file("/tmp/a/b", b"text")
        with sandbox.popen(["sh", "-c", f"echo up; sleep 60; : {marker}"]) as process:
            assert process.stdout.readline() == b"up\n"
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert not any(private.iterdir())
    assert not living(marker)
    assert not Path(f"/proc/{sandbox._helper._process.pid}").exists()


def test_a_forgotten_sandbox_warns_and_is_closed(mechanism) -> None:
    marker = f"forgotten-{uuid.uuid4().hex}"
    sandbox = open_sandbox(SandboxSpec(), mechanism)
    process = sandbox.popen(["sh", "-c", f"echo up; sleep 60; : {marker}"])
    assert process.stdout.readline() == b"up\n"
    process.close()
    del process
    with pytest.warns(ResourceWarning, match="unclosed sandbox"):
        del sandbox
        gc.collect()
    assert not living(marker)


OWNER = """
import sys, time
from openenv_gym.sandbox import SandboxSpec, open_sandbox
sandbox = open_sandbox(SandboxSpec(), sys.argv[1])
process = sandbox.popen(["sh", "-c", f"echo up; sleep 60; : {sys.argv[2]}"])
process.stdout.readline()
print("up", flush=True)
sandbox.run(["sh", "-c", f"sleep 60; : {sys.argv[2]}"])
"""


def test_nothing_is_left_when_the_owner_is_killed(mechanism, base) -> None:
    base.chmod(0o711)
    marker = f"orphan-{uuid.uuid4().hex}"
    environ = {**os.environ, "TMPDIR": str(base)}
    argv = [sys.executable, "-c", OWNER, mechanism, marker]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.kill()
    assert until(lambda: not living(marker))
    assert until(lambda: not any(base.iterdir()))


FORKER = """
import os, sys
from openenv_gym.sandbox import SandboxSpec, open_sandbox
sandbox = open_sandbox(SandboxSpec(), sys.argv[1])
child = os.fork()
if child == 0:
    sandbox.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(sandbox.run(["echo", "still here"]).stdout.decode(), end="")
sandbox.close()
"""


def test_a_forked_child_leaves_the_sandbox_to_its_owner(mechanism) -> None:
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKER, mechanism], capture_output=True, check=False, timeout=60
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, b"still here\n", b"")


def test_a_sandbox_outlives_the_thread_that_opened_it(mechanism) -> None:
    opened = []
    thread = threading.Thread(target=lambda: opened.append(open_sandbox(SandboxSpec(), mechanism)))
    thread.start()
    thread.join()
    with opened[0] as sandbox:
        assert sandbox.run(["echo", "on"]).stdout == b"on\n"


def test_many_threads_with_a_sandbox_each(mechanism) -> None:
    outputs = {}

    def work(number: int) -> None:
        with open_sandbox(SandboxSpec(), mechanism) as sandbox:
            outputs[number] = [sandbox.run(["echo", str(number)]).stdout for _ in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: [b"%d\n" % number] * 5 for number in range(6)}


def test_threads_take_turns_on_one_sandbox(sandbox) -> None:
    outputs = []

    def work(number: int) -> None:
        for _ in range(5):
            outputs.append(sandbox.run(["echo", str(number)]).stdout == b"%d\n" % number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == [True] * 20


def test_programs_cannot_end_their_helper(sandbox) -> None:
    source = """
import os, signal
for target in (os.getppid(), 1, -1, -os.getpgid(os.getppid())):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        try:
            if target:
                os.kill(target, number)
        except OSError:
            pass
print("tried")
"""
    assert sandbox.run([python_inside(sandbox), "-c", source]).stdout == b"tried\n"
    assert sandbox.run(["echo", "on"]).stdout == b"on\n"


def test_a_helper_that_dies_is_reported_and_the_sandbox_stays_closed(opened) -> None:
    sandbox = opened()
    signal.pidfd_send_signal(sandbox._helper._descriptor, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(SandboxError):
            sandbox.run(["true"])
    assert not sandbox.usable


def test_sandboxes_do_not_see_each_other(mechanism) -> None:
    with open_sandbox(SandboxSpec(), mechanism) as one, open_sandbox(SandboxSpec(), mechanism) as other:
        one.write_file("/tmp/note", b"mine")
        assert other.run(["ls", "-A", other.path_inside("/tmp")]).stdout == b""
        assert other.run(["cat", one.path_inside("/tmp/note")]).exit_code == 1


def test_a_root_owners_sandboxes_have_users_of_their_own(mechanism) -> None:
    with open_sandbox(SandboxSpec(), mechanism) as one, open_sandbox(SandboxSpec(), mechanism) as other:
        assert int(one.run(["id", "-u"]).stdout) == one.uid != 0
        assert (one.uid != other.uid) == (os.geteuid() == 0)


def test_a_user_id_is_free_again_when_released(monkeypatch) -> None:
    monkeypatch.setattr("openenv_gym.sandbox.identity._RANGE", range(39_990, 39_991))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    first = Identity.unprivileged()
    with pytest.raises(SandboxError, match="close some"):
        Identity.unprivileged()
    first.release()
    Identity.unprivileged().release()


def test_a_mount_source_that_programs_could_not_reach_is_told(base, mechanism) -> None:
    hidden = base / "hidden"
    hidden.mkdir()
    hidden.chmod(0)
    with pytest.raises(SandboxError, match="cannot be read by the sandbox's user"):
        open_sandbox(SandboxSpec(mounts=(Mount(hidden, "/shown"),)), mechanism)


def test_a_process_forked_ahead_that_a_long_lived_program_displaces_is_reaped(opened) -> None:
    others = process_tree.descendants(os.getpid())
    sandbox = opened()
    # The helper forks a process ahead as soon as nothing is asked of it.
    resting = process_tree.descendants(os.getpid()) - others
    until(lambda: len(process_tree.descendants(os.getpid()) - others) > len(resting), 1.0)
    with sandbox.popen(["cat"]) as program:
        held = process_tree.descendants(os.getpid()) - others
        assert held == process_tree.living(held)
        program.kill()
