"""A program under the system call filter of a unit, by libseccomp and without systemd as the first process.

    python -m tests.deploy.sandbox UNIT PROGRAM [WORD]...

The lists behind @names are those that the installed systemd prints. MemoryDenyWriteExecute= is a second
filter.
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000 | errno.EPERM
_MASKED_EQ = 7
_PROT_WRITE_EXEC, _PROT_EXEC = 0x6, 0x4
_UNKNOWN = -1


class _Compare(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def settings(unit: Path) -> dict[str, list[str]]:
    """All values of each setting of a unit file, in their order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@cache
def _group(name: str) -> tuple[str, ...]:
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    return tuple(line.strip() for line in said.splitlines()[1:] if line.strip() and "#" not in line)


def _calls(words: str) -> Iterator[str]:
    for word in words.split():
        if word.startswith("@"):
            yield from _calls(" ".join(_group(word)))
        else:
            yield word


def allowed(unit: Path) -> set[str]:
    """The system calls of the allow list, later lines changing earlier ones."""
    calls: set[str] = set()
    for line in settings(unit)["SystemCallFilter"]:
        if line.startswith("~"):
            calls -= set(_calls(line[1:]))
        else:
            calls |= set(_calls(line))
    return calls


def confine(calls: set[str]) -> None:
    """This process and all that it becomes, for ever."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    filters = lib.seccomp_init(ctypes.c_uint32(_ERRNO))
    numbers = {lib.seccomp_syscall_resolve_name(name.encode()) for name in calls | set(_group("@default"))}
    for number in numbers - {_UNKNOWN}:
        lib.seccomp_rule_add_array(ctypes.c_void_p(filters), ctypes.c_uint32(_ALLOW), number, 0, None)
    memory = lib.seccomp_init(ctypes.c_uint32(_ALLOW))
    for name, bits in (("mmap", _PROT_WRITE_EXEC), ("mprotect", _PROT_EXEC), ("pkey_mprotect", _PROT_EXEC)):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        wrong = (_Compare * 1)(_Compare(2, _MASKED_EQ, bits, bits))
        lib.seccomp_rule_add_array(ctypes.c_void_p(memory), ctypes.c_uint32(_ERRNO), number, 1, wrong)
    for one in (memory, filters):
        if lib.seccomp_load(ctypes.c_void_p(one)):
            raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    confine(allowed(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])
