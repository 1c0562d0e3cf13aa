"""Seccomp filters written as rules and assembled to classic BPF, without a library.

A filter allows by default and names what is refused: Landlock, namespaces and an unprivileged user carry
the confinement, the filter takes away the kernel's doors that they leave open.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

from openenv_gym.sandbox.inside import kernel
from openenv_gym.sandbox.inside.syscall_numbers import AUDIT_ARCHITECTURES, numbers

_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _AND, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32_BIT = 0x40000000


class Refuse(NamedTuple):
    """One system call that is refused: always, or by one argument's low 32 bits.

    Attributes:
        call: The system call's name; one that this architecture does not have is skipped.
        error: The errno the caller sees; 0 pretends success without doing anything.
        argument: Index of the argument looked at; None refuses always.
        mask: Bits of the argument that are compared.
        values: What they are compared with.
        unless: Refuse when *none* of the values matches, instead of when one does.
    """

    call: str
    error: int = errno.EPERM
    argument: int | None = None
    mask: int = 0xFFFFFFFF
    values: tuple[int, ...] = ()
    unless: bool = False


def install(rules: Sequence[Refuse]) -> None:
    """Put a filter on this process and all that it starts, for good.

    Raises:
        OSError: The kernel refused, or the architecture is unknown.
    """
    program = assemble(rules)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: unsigned short len, padding, pointer.
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))


def assemble(rules: Sequence[Refuse]) -> bytes:
    """The BPF program for ``rules``; a call of another architecture kills the process.

    Raises:
        OSError: This architecture's numbers are unknown.
    """
    machine = os.uname().machine
    if machine not in AUDIT_ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no seccomp table for the architecture {machine!r}")
    known = numbers(machine)
    program = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_JUMP_IF_EQUAL, AUDIT_ARCHITECTURES[machine], 1, 0),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER_AT),
        # x32 calls carry their own numbers, which no rule would match.
        _instruction(_JUMP_IF_AT_LEAST, _X32_BIT, 0, 1),
        _instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for rule in rules:
        if rule.call in known:
            body = _body(rule)
            program += [_instruction(_JUMP_IF_EQUAL, known[rule.call], 0, len(body)), *body]
    program.append(_instruction(_RETURN, _ALLOW))
    return b"".join(program)


def _body(rule: Refuse) -> list[bytes]:
    refuse = _instruction(_RETURN, _ERRNO | rule.error)
    if rule.argument is None:
        return [refuse]
    count = len(rule.values)
    load = [
        _instruction(_LOAD, _ARGUMENTS_AT + 8 * rule.argument),
        _instruction(_AND, rule.mask),
    ]
    # A matching value jumps over the other comparisons, to or past the refusal.
    past = 1 if rule.unless else 0
    tests = [
        _instruction(_JUMP_IF_EQUAL, value, count - 1 - index + past, 0)
        for index, value in enumerate(rule.values)
    ]
    if not rule.unless:
        # Fall through of the last comparison: nothing matched, jump over the refusal.
        tests[-1] = _instruction(_JUMP_IF_EQUAL, rule.values[-1], 0, 1)
    return [*load, *tests, refuse, _instruction(_LOAD, _NUMBER_AT)]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)
