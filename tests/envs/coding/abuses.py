"""What hostile code does to its session, and how each abuse must end.

An abuse runs in the middle of an episode, in which ``x`` is 1. Afterwards the session must still answer, and
a victim's session beside it must have noticed nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from coding_env.models import CodeObservation


@dataclass(frozen=True)
class Abuse:
    """One abuse.

    Attributes:
        code: What runs.
        kept: Whether names outlive it; None where either is right.
        exit_code: What is reported; None where several are right.
        stopped_by: The limit that is named; "" where any may be, or none.
        printed: A pattern that standard output matches as a whole.
        told: A pattern that is found in standard error.
        quick: It is given little time, because it would take any.
        stubborn: It is given little time to end after an interrupt, because it does not.
        mute: It has taken its own outputs, which only a reset brings back.
    """

    code: str
    kept: bool | None = True
    exit_code: int | None = 0
    stopped_by: str | None = None
    printed: str = r"(?s).*"
    told: str = ""
    quick: bool = False
    stubborn: bool = False
    mute: bool = False

    def complaint(self, seen: CodeObservation) -> str:
        """What is wrong with how it ended; "" when nothing is."""
        lost, stopped_by = seen.metadata["state_lost"], seen.metadata["stopped_by"]
        if self.kept is not None and lost is self.kept:
            return f"state_lost is {lost}"
        if self.exit_code is not None and seen.exit_code != self.exit_code:
            return f"exit_code is {seen.exit_code}"
        if self.stopped_by != "" and stopped_by != self.stopped_by:
            return f"stopped_by is {stopped_by}"
        if not re.fullmatch(self.printed, seen.stdout):
            return f"stdout is {seen.stdout!r}"
        if not re.search(self.told, seen.stderr):
            return f"stderr is {seen.stderr!r}"
        if lost and "the next step has a fresh interpreter" not in seen.stderr:
            return "nothing says that the state is lost"
        return ""


def hang(code: str, kept: bool | None = True) -> Abuse:
    """Code that would never end, and takes Ctrl-C."""
    return Abuse(
        code, exit_code=124, stopped_by="step_seconds", told="it ran longer than", quick=True, kept=kept
    )


def stubborn(code: str) -> Abuse:
    """Code that would never end, and takes no Ctrl-C."""
    return replace(hang(code, kept=False), stubborn=True)


def deadly(code: str, exit_code: int | None = None) -> Abuse:
    """Code that ends its interpreter."""
    return Abuse(code, kept=False, exit_code=exit_code, stopped_by=None)


# What hostile code finds out about its interpreter: the descriptor that requests come on, and their form.
FIND_CHANNEL = """
import os, stat, struct, sys, threading, time
def is_socket(n):
    try:
        return stat.S_ISSOCK(os.fstat(n).st_mode)
    except OSError:
        return False
channel = next(n for n in range(3, 256) if is_socket(n))
frame = sys._getframe()
while 'number' not in frame.f_locals:
    frame = frame.f_back
number = frame.f_locals['number']
reply = struct.Struct('!Ii')
"""

ABUSES: dict[str, Abuse] = {
    # --- more than its share ---------------------------------------------------------------------------
    "fork_bomb": Abuse(
        "import os, time\nchildren = []\ntry:\n    while len(children) < 500:\n        child = os.fork()\n"
        "        if not child:\n            time.sleep(60); os._exit(0)\n        children.append(child)\n"
        "except OSError: pass\nfor child in children: os.kill(child, 9); os.waitpid(child, 0)\n"
        "print(len(children) < 40)",
        printed="True\n",
    ),
    "thread_bomb": Abuse(
        "import threading\nend, threads = threading.Event(), []\ntry:\n    while len(threads) < 500:\n"
        "        thread = threading.Thread(target=end.wait); thread.start(); threads.append(thread)\n"
        "except RuntimeError: pass\n"
        "end.set()\nfor thread in threads: thread.join()\nprint(len(threads) < 40)",
        printed="True\n",
    ),
    "memory_bomb": Abuse(
        "def fill():\n    data = []\n    while True: data.append(bytearray(1 << 24))\nfill()",
        exit_code=1,
        told="MemoryError",
    ),
    "one_huge_allocation": Abuse("data = bytearray(1 << 40)", exit_code=1, told="MemoryError"),
    "one_huge_file": Abuse(
        "with open('huge', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
        kept=None,
        exit_code=None,
        stopped_by="",
        told=r"File too large|No space left|files are larger",
    ),
    "many_files": Abuse(
        "data = bytes(1 << 20)\nfor n in range(10_000):\n"
        "    with open(f'{n}', 'wb') as file: file.write(data)",
        kept=None,
        exit_code=None,
        stopped_by="",
        told=r"No space left|files are larger",
    ),
    "endless_output": Abuse(
        "while True: print('x' * 1000)",
        exit_code=124,
        stopped_by="printed_bytes",
        told="printed more than",
        printed=r"(?s)x.*bytes are left out here.*",
    ),
    "endless_output_of_a_program": Abuse(
        "import subprocess\nsubprocess.run(['yes'])",
        exit_code=124,
        stopped_by="printed_bytes",
        told="printed more than",
    ),
    "endless_traceback": Abuse(
        "raise ValueError('x' * 1_000_000)", exit_code=1, told="bytes are left out here"
    ),
    "binary_output": Abuse("import sys; _ = sys.stdout.buffer.write(bytes(range(256)))"),
    "too_many_open_files": Abuse(
        "files = []\nwhile True:\n    files.append(open('/dev/null'))", kept=None, exit_code=1
    ),
    "deep_folders": Abuse(
        "import os\nfor n in range(1500):\n    os.mkdir('d'); os.chdir('d')",
        kept=None,
        exit_code=None,
        stopped_by="",
    ),
    "empty_files": Abuse(
        "import os\nn = 0\nwhile True:\n    os.close(os.open(f'e{n}', os.O_CREAT)); n += 1",
        kept=None,
        exit_code=None,
        stopped_by="",
        told=r"No space left|files are larger|stopped",
    ),
    # --- more than its time ----------------------------------------------------------------------------
    "endless_loop": hang("n = 0\nwhile True: n += 1"),
    "endless_sleep": hang("import time; time.sleep(1000)"),
    "endless_read": hang("import os; r, w = os.pipe(); os.read(r, 1)"),
    "endless_program": hang("import subprocess; subprocess.run(['sleep', '1000'])"),
    "endless_lock": hang("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()"),
    "huge_integer": hang("9 ** 9 ** 9", kept=None),
    "catastrophic_pattern": hang("import re; re.match('(a+)+$', 'a' * 64 + 'b')"),
    "endless_repr": hang("class R:\n    def __repr__(self):\n        while True: pass\nR()"),
    "endless_text_of_an_exception": hang(
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E"
    ),
    "ignored_interrupt": stubborn(
        "import signal; signal.signal(2, signal.SIG_IGN)\nn = 0\nwhile True: n += 1"
    ),
    "blocked_interrupt": stubborn(
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nn = 0\nwhile True: n += 1"
    ),
    "swallowed_interrupt": stubborn(
        "def again():\n    try:\n        for n in iter(int, 1): pass\n    except BaseException: pass\n"
        "while True: again()"
    ),
    "hang_in_c": stubborn("import itertools; sum(itertools.repeat(0))"),
    "stop_signal_to_itself": stubborn("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
    # --- ends of the interpreter -----------------------------------------------------------------------
    "os._exit": deadly("import os; os._exit(3)", 3),
    "null_pointer": deadly("import ctypes; ctypes.string_at(0)", -11),
    "abort": deadly("import os; os.abort()", -6),
    "kill_everybody": Abuse("import os; os.kill(-1, 9)", kept=None, exit_code=None, stopped_by=None),
    "kill_the_parent": Abuse(
        "import os; os.kill(os.getppid(), 9)", kept=None, exit_code=None, stopped_by=None
    ),
    "kill_the_group": Abuse("import os; os.killpg(0, 9)", kept=False, exit_code=None, stopped_by=None),
    "bottomless_recursion": Abuse("def f(): f()\nf()", exit_code=1, told="RecursionError"),
    "bottomless_recursion_in_c": Abuse(
        "import sys; sys.setrecursionlimit(10**9)\ndef f(_):\n    return list(map(f, [0]))\nf(0)",
        kept=None,
        exit_code=None,
        told="SIGSEGV|RecursionError|MemoryError",
    ),
    "overwritten_objects": Abuse(
        "import ctypes; ctypes.memset(id(None), 0, 64); [None] * 1000",
        kept=None,
        exit_code=None,
        stopped_by="",
    ),
    "closing_all_descriptors": deadly("import os; os.closerange(0, 1000)"),
    "becoming_another_program": deadly("import os; os.execv('/bin/echo', ['echo', 'gone'])", 0),
    # --- its interpreter turned inside out -------------------------------------------------------------
    "no_modules": Abuse("import sys; sys.modules.clear()", kept=None, exit_code=None),
    "no_builtins": Abuse("import builtins; builtins.__dict__.clear()", kept=None, exit_code=None),
    "no_streams": Abuse("import sys; sys.stdout = sys.stderr = None", mute=True),
    "closed_streams": Abuse("import sys; sys.stdout.close(); sys.stderr.close()", mute=True),
    "hostile_stream": Abuse(
        "import sys, os\nclass S:\n    write = flush = lambda *a: os.abort()\nsys.stdout = S()",
        kept=False,
        exit_code=-6,
    ),
    "hostile_hooks": Abuse(
        "import sys\nsys.settrace(lambda *a: 1 / 0); sys.excepthook = sys.displayhook = None",
        kept=None,
        exit_code=None,
    ),
    "frames_of_its_caller": Abuse(
        "import sys\nframe = sys._getframe()\nwhile frame := frame.f_back:\n    frame.f_globals.clear()",
        kept=None,
        exit_code=None,
    ),
    "exit_handlers": deadly("import atexit, os\natexit.register(os.system, 'sleep 1000')\nos.abort()", -6),
    # --- forged replies --------------------------------------------------------------------------------
    "a_forged_reply": Abuse(
        FIND_CHANNEL + "os.write(channel, reply.pack(number, 42))\ntime.sleep(0.2)",
        kept=None,
        exit_code=42,
    ),
    "a_reply_to_another_request": deadly(
        FIND_CHANNEL + "os.write(channel, reply.pack(number + 1, 0)); time.sleep(1000)"
    ),
    "a_reply_too_many": deadly(
        FIND_CHANNEL + "os.write(channel, reply.pack(number, 0) * 2); time.sleep(1000)"
    ),
    "half_a_reply": hang(
        FIND_CHANNEL + "os.write(channel, reply.pack(number, 0)[:5]); time.sleep(1000)", kept=False
    ),
    "a_flood_instead_of_a_reply": deadly(
        FIND_CHANNEL + "os.set_blocking(channel, True)\nwhile True: os.write(channel, bytes(65536))"
    ),
    "descriptors_sent_to_the_server": deadly(
        FIND_CHANNEL + "import socket\ns = socket.socket(fileno=os.dup(channel))\n"
        "socket.send_fds(s, [reply.pack(number, 0) + b'x'], [0, 1, 2])\ntime.sleep(1000)"
    ),
    "a_closed_channel": deadly(FIND_CHANNEL + "os.close(channel)"),
    "stolen_requests": Abuse(
        FIND_CHANNEL + "def steal():\n    while True: os.read(channel, 1)\n"
        "threading.Thread(target=steal, daemon=True).start()",
        kept=None,
        quick=True,
        stubborn=True,
    ),
    # --- code that is hard to read ---------------------------------------------------------------------
    "nested_parentheses": Abuse("(" * 100_000, exit_code=1),
    "nested_minus_signs": Abuse("-" * 50_000 + "1", kept=None, exit_code=None),
    "nested_attributes": Abuse("x" + ".real" * 100_000, kept=None, exit_code=None),
    "a_million_characters": Abuse("'" + "x" * 900_000 + "'"),
    "null_characters": Abuse("x = 1\0", exit_code=1),
}
