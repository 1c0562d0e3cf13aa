"""Which system calls a sandbox refuses, and why."""

from __future__ import annotations

import errno
import os
import socket

from openenv_gym.sandbox.inside.seccomp import Refuse

# CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net. (The time namespace has no flag of clone's.)
_NAMESPACE_FLAGS = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_AF_NETLINK = 16
_IOPRIO_WHO_PROCESS = 1
_WORD = 0xFFFFFFFF
_BY_PROCESS = ("prlimit64", "sched_setaffinity", "sched_setparam", "sched_setattr")

_KERNEL_DOORS = (
    # other processes' memory
     "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "kcmp", "pidfd_getfd", "migrate_pages", "move_pages", "mbind",
    # mounts and namespaces
     "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "mount_setattr", "open_tree",
    "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "name_to_handle_at",
    "open_by_handle_at",
    # the machine
     "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "swapon", "swapoff", "sethostname", "setdomainname", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "acct", "quotactl", "quotactl_fd", "syslog", "iopl", "ioperm",
    "vhangup", "lookup_dcookie",
    # where kernels were broken most often, and what an ordinary program does not need
     "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "keyctl", "add_key", "request_key",
    "io_uring_enter", "io_uring_register",
    # System V memory outlives its process and counts against no limit
     "shmget", "msgget", "semget",
)  # fmt: skip

# Programs ask for these first and fall back when the kernel is "too old".
_PRETEND_MISSING = ("clone3", "io_uring_setup", "memfd_create", "memfd_secret")

_METADATA = (
     "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "futimesat", "setxattr",
    "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
    "removexattrat", "file_setattr",
)  # fmt: skip


def for_sandbox(*, sockets: str, landlock_abi: int | None) -> list[Refuse]:
    """What is refused to the helper and to every program.

    Args:
        sockets: ``"internet"`` (TCP, UDP, Unix and netlink sockets can be made; a network namespace says what
            they reach) or ``"none"`` (only socket pairs: where no namespace stands between a Unix
            socket of the host and the program).
        landlock_abi: What Landlock covers by itself; None where mounts confine.
    """
    rules = [Refuse(call) for call in _KERNEL_DOORS]
    rules += [Refuse(call, errno.ENOSYS) for call in _PRETEND_MISSING]
    # clone3 hides its flags from filters; clone shows them.
    rules += [Refuse("clone", argument=0, mask=flag, values=(flag,)) for flag in _NAMESPACE_FLAGS]
    rules.append(Refuse("ioctl", argument=1, values=(_TIOCSTI, _TIOCLINUX)))
    if sockets == "internet":
        # Not the families that no network namespace contains, such as AF_VSOCK.
        families = (int(socket.AF_UNIX), int(socket.AF_INET), int(socket.AF_INET6), _AF_NETLINK)
        rules.append(Refuse("socket", errno.EAFNOSUPPORT, argument=0, values=families, unless=True))
    else:
        rules.append(Refuse("socket", errno.EACCES))
    # Calls that take another process's id, 0 being one's own.
    rules += [Refuse(call, argument=0, values=(0,), unless=True) for call in _BY_PROCESS]
    # Threads name themselves by their own id here, which a filter cannot tell from another's. ZeroMQ aborts
    # where that is refused, so it succeeds, and does nothing.
    rules.append(Refuse("sched_setscheduler", 0, argument=0, values=(0,), unless=True))
    rules += [Refuse(call, argument=1, values=(0,), unless=True) for call in ("setpriority", "ioprio_set")]
    # "Everything of this user" is told from "me" by the first argument only.
    rules.append(Refuse("setpriority", argument=0, values=(os.PRIO_PROCESS,), unless=True))
    rules.append(Refuse("ioprio_set", argument=0, values=(_IOPRIO_WHO_PROCESS,), unless=True))
    if landlock_abi is not None and landlock_abi < 3:
        rules.append(Refuse("truncate"))
        rules.append(Refuse("openat2", errno.ENOSYS))
        mask = os.O_TRUNC | os.O_ACCMODE
        rules.append(Refuse("open", argument=1, mask=mask, values=(os.O_TRUNC,)))
        rules.append(Refuse("openat", argument=2, mask=mask, values=(os.O_TRUNC,)))
    return rules


def for_program(*, shares_user: bool, landlock_abi: int, helper: int, helper_group: int) -> list[Refuse]:
    """What is refused to programs under Landlock besides, and not to the helper: for the calling process.

    Args:
        shares_user: Programs run as the owner's own user.
        landlock_abi: What Landlock covers by itself.
        helper: The helper's process id; it has the programs' user.
        helper_group: The helper's process group.
    """
    if shares_user and landlock_abi < 6:
        mine = os.getpid()
        rules = [Refuse("kill", argument=0, values=(0, mine), unless=True)]
        rules.append(Refuse("tgkill", argument=0, values=(mine,), unless=True))
        rules += [Refuse(call) for call in ("tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")]
        rules.append(Refuse("fcntl", argument=1, values=(_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)))
    else:
        everybody = (helper, -1 & _WORD, -helper_group & _WORD)
        rules = [Refuse("kill", argument=0, values=everybody)]
        single = ("tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
        rules += [Refuse(call, argument=0, values=(helper,)) for call in single]
    rules.append(Refuse("pidfd_send_signal"))
    if shares_user:
        # Landlock has no right for metadata. Git dies when chmod fails, so that one pretends success.
        rules += [Refuse(call) for call in _METADATA]
        rules += [Refuse(call, 0) for call in ("chmod", "fchmod", "fchmodat", "fchmodat2")]
        rules.append(Refuse("utimensat", argument=1, values=(0,), unless=True))
        # The group is how all of a program's processes are found and killed at once.
        rules += [Refuse("setsid"), Refuse("setpgid")]
    return rules
