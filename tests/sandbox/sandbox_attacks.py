"""A hostile program, run inside a sandbox: tries to get out in every way it knows, prints what came of each.

Standard library only. Its argument is a JSON object that tells it what a real attacker would have to guess.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path

FACTS = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
ATTACKS = {}


class Refused(Exception):
    pass


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def syscall(name, *arguments):
    number = FACTS["syscalls"].get(name)
    if number is None:
        raise Refused(f"{name} does not exist here")
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(word) for word in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def refused_call(name, *arguments):
    """Make an attack of one system call that must fail for lack of rights, not for bad arguments."""

    def call():
        try:
            syscall(name, *arguments)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                raise
            return f"{name} was let through and failed with {errno.errorcode[error.errno]}"
        return name

    ATTACKS[f"syscall_{name}"] = call


# --- network -------------------------------------------------------------------------------------------


@attack
def connect_to_the_owners_tcp_port():
    with socket.socket() as connection:
        connection.settimeout(2)
        connection.connect(("127.0.0.1", FACTS["tcp_port"]))
        return "connected"


@attack
def send_a_datagram_to_the_owner():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(0.5)
        connection.connect(("127.0.0.1", FACTS["udp_port"]))
        connection.send(b"leak")
        return connection.recv(100)


@attack
def connect_to_an_abstract_unix_socket():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + FACTS["abstract_socket"])
        return "connected"


@attack
def connect_to_a_unix_socket_by_path():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(FACTS["unix_socket"])
        return "connected"


@attack
def open_a_raw_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    return "made one"


@attack
def open_a_socket_to_the_hypervisor():
    socket.socket(40, socket.SOCK_STREAM).close()  # AF_VSOCK
    return "made one"


# --- files ---------------------------------------------------------------------------------------------


@attack
def read_a_secret_outside():
    return Path(FACTS["secret"]).read_text()


@attack
def read_etc_shadow():
    return Path("/etc/shadow").read_text()


@attack
def see_the_hosts_users():
    found = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("sandbox:")]
    if not found:
        raise Refused("only itself")
    return found


@attack
def list_home_folders():
    for folder in ("/root", "/home"):
        try:
            names = {path.name for path in Path(folder).iterdir()} - set(FACTS["allowed_names"])
        except OSError:
            continue
        if names:
            return folder, sorted(names)
    raise Refused("nothing to see")


@attack
def write_to_a_file_outside():
    with Path(FACTS["victim"]).open("a") as file:
        file.write("owned")
    return "written"


@attack
def truncate_a_file_outside():
    os.truncate(FACTS["victim"], 0)
    return "truncated"


@attack
def truncate_a_file_outside_by_opening_it_for_reading():
    os.open(FACTS["victim"], os.O_RDONLY | os.O_TRUNC)
    return "truncated"


@attack
def remove_a_file_outside():
    Path(FACTS["victim"]).unlink()
    return "removed"


@attack
def rename_a_file_outside_into_the_workspace():
    Path(FACTS["victim"]).rename("stolen")
    return "moved"


@attack
def link_a_file_outside_into_the_workspace():
    os.link(FACTS["secret"], "linked")
    return Path("linked").read_text()


@attack
def follow_a_symbolic_link_outside():
    Path("pointer").symlink_to(FACTS["secret"])
    return Path("pointer").read_text()


@attack
def change_a_files_mode_outside():
    Path(FACTS["victim"]).chmod(0)
    raise Refused("the owner will see")


@attack
def change_a_files_time_outside():
    os.utime(FACTS["victim"], (1, 1))
    return "changed"


@attack
def give_a_file_outside_away():
    os.chown(FACTS["victim"], os.getuid(), os.getgid())
    return "changed"


@attack
def put_a_file_into_the_system():
    Path("/usr/lib/owned").write_text("x")
    return "written"


@attack
def put_a_file_into_the_root_folder():
    Path("/owned").write_text("x")
    return "written"


@attack
def put_a_file_into_dev():
    Path("/dev/owned").write_text("x")
    return "written"


@attack
def change_a_read_only_mount():
    Path(FACTS["read_only"], "owned").write_text("x")
    return "written"


@attack
def overwrite_in_a_read_only_mount():
    Path(FACTS["read_only"], "shared").write_text("x")
    return "written"


@attack
def make_a_device():
    os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
    return "made"


@attack
def walk_up_from_the_workspace():
    path = "../" * 30 + FACTS["secret"].lstrip("/")
    return Path(path).read_text()


# --- other processes -----------------------------------------------------------------------------------


def other_processes():
    """Ids that exist here and are not this process, and the owner's, which may not."""
    try:
        visible = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        visible = []
    return [
        pid
        for pid in {*visible, FACTS["owner"], FACTS["bystander"], os.getppid(), 1}
        if pid > 0 and pid != os.getpid()
    ]


def against_processes(function):
    """Try on every process; it is a breach if it works on any."""

    def run():
        last = Refused("no process")
        for pid in other_processes():
            try:
                return pid, function(pid)
            except OSError as error:
                last = error
        raise last

    ATTACKS[function.__name__] = run


@attack
def find_the_owners_secret_in_an_environment():
    for pid in other_processes():
        try:
            text = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if FACTS["marker"].encode() in text:
            return pid
    if any(FACTS["marker"] in value for value in os.environ.values()):
        return "own environment"
    raise Refused("nothing found")


@attack
def see_the_owner_in_proc():
    text = Path(f"/proc/{FACTS['owner']}/cmdline").read_bytes()
    if text == FACTS["owner_cmdline"].encode():
        return text
    raise Refused("somebody else")


@attack
def signal_the_owner():
    os.kill(FACTS["owner"], 0)
    if Path("/proc/self").exists():
        raise Refused("the id is somebody else's here")
    return "could"


@attack
def signal_another_process_of_the_same_user():
    os.kill(FACTS["bystander"], signal.SIGKILL)
    return "sent"


@attack
def signal_a_thread_of_another_process():
    syscall("tgkill", FACTS["bystander"], FACTS["bystander"], signal.SIGKILL)
    return "sent"


@attack
def signal_everybody():
    try:
        os.kill(-1, signal.SIGCONT)
    except ProcessLookupError as error:
        raise Refused("nobody there") from error
    return "judged by the bystander"


@attack
def lower_the_owners_limits():
    syscall("prlimit64", FACTS["bystander"], 7, 0, ctypes.addressof((ctypes.c_uint64 * 2)()))
    return "could look"


@against_processes
def read_another_processes_memory(pid):
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        line = Path(f"/proc/{pid}/maps").read_text().splitlines()[0]
        memory.seek(int(line.partition("-")[0], 16))
        return memory.read(16)


@against_processes
def trace_another_process(pid):
    return syscall("ptrace", 16, pid, 0, 0)


@against_processes
def copy_another_processes_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
    return syscall("process_vm_readv", pid, ctypes.addressof(vector), 1, ctypes.addressof(vector), 1, 0)


@attack
def find_an_open_descriptor():
    found = []
    for descriptor in range(3, 1024):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    if not found:
        raise Refused("none")
    return found


# --- privileges ----------------------------------------------------------------------------------------


@attack
def become_root():
    os.setuid(0)
    return os.getuid()


@attack
def already_be_root():
    if 0 in (os.getuid(), os.geteuid()):
        return "is root"
    raise Refused(f"user {os.getuid()}")


@attack
def have_a_supplementary_group():
    extra = set(os.getgroups()) - {os.getgid(), 65534}
    if extra and not FACTS["keeps_groups"]:
        return sorted(extra)
    raise Refused("none")


@attack
def gain_rights_by_a_setuid_program():
    if LIBC.prctl(39, 0, 0, 0, 0) == 1:  # PR_GET_NO_NEW_PRIVS
        raise Refused("no_new_privs is set")
    return "possible"


@attack
def have_a_capability():
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    LIBC.capget(ctypes.byref(header), ctypes.byref(sets))
    if any(sets):
        return list(sets)
    raise Refused("none")


@attack
def make_a_user_namespace_by_clone():
    pid = syscall("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made one"


@attack
def raise_a_hard_limit():
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard + 4096, hard + 4096))
    return "raised"


@attack
def type_into_the_owners_terminal():
    import fcntl

    fcntl.ioctl(0, 0x5412, b"x")  # TIOCSTI
    return "typed"


refused_call("mount", 0, 0, 0, 0, 0)
refused_call("umount2", 0, 0)
refused_call("pivot_root", 0, 0)
refused_call("chroot", 0)
refused_call("unshare", 0x10000000)
refused_call("setns", 0, 0)
refused_call("bpf", 0, 0, 0)
refused_call("keyctl", 0, 0)
refused_call("add_key", 0, 0, 0, 0)
refused_call("perf_event_open", 0, 0, 0, 0, 0)
refused_call("userfaultfd", 0)
refused_call("io_uring_setup", 1, 0)
refused_call("open_by_handle_at", 0, 0, 0)
refused_call("init_module", 0, 0, 0)
refused_call("reboot", 0, 0, 0, 0)
refused_call("shmget", 1, 4096, 0o1000)
refused_call("memfd_create", 0, 0)
refused_call("sethostname", 0, 0)
refused_call("clone3", 0, 0)


def main():
    results = {}
    for name in FACTS["only"] or ATTACKS:
        function = ATTACKS[name]
        try:
            got = function()
        except (OSError, Refused, ValueError) as error:
            results[name] = f"refused: {error}"
        else:
            results[name] = f"BREACH: {got!r}"
    print(json.dumps(results))


main()
