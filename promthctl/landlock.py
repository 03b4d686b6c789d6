"""Linux's Landlock: what a child process may read and write, whatever rights the user has who runs it.

A second wall around the servers that run other people's SQL. The kernel has it since 5.19 in the form needed here
(ABI 2), for TCP since 6.7 (ABI 4); elsewhere the child runs without it.
Source of the numbers: include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BIND, _CONNECT = 1, 2
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # by ABI; from 5 on, one more
_NO_NEW_PRIVS = 38


def abi() -> int:
    """The kernel's version of Landlock, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))


@dataclass(frozen=True)
class Confinement:
    """What a child may do.

    read: what it may read and run, with everything beneath. write: what it may change as well. Paths that are not
    there are left out. port: the one it may listen on, None for none. connect: whether it may connect by TCP.
    """

    read: tuple[Path, ...]
    write: tuple[Path, ...]
    port: int | None = None
    connect: bool = False


@contextmanager
def restriction(wanted: Confinement | None) -> Iterator[Callable[[], None] | None]:
    """What a child calls before it becomes the program, while the block runs; None where the kernel cannot do it."""
    version = abi() if wanted else 0
    if wanted is None or version < 2:
        yield None
        return
    rights = _RIGHTS.get(version, (1 << 16) - 1)
    net = _BIND | (0 if wanted.connect else _CONNECT)
    attributes = struct.pack("=QQ", rights, net) if version >= 4 else struct.pack("=Q", rights)
    libc = _libc()
    ruleset = int(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    if ruleset < 0:
        yield None
        return

    def restrict() -> None:
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0))

    try:
        for paths, allowed in ((wanted.read, _EXECUTE | _READ_FILE | _READ_DIR), (wanted.write, rights & ~_EXECUTE)):
            for path in paths:
                _allow_path(libc, ruleset, path, allowed)
        if version >= 4 and wanted.port is not None:
            rule = struct.pack("=QQ", _BIND, wanted.port)
            libc.syscall(_ADD_RULE, ruleset, _NET_PORT, rule, ctypes.c_uint32(0))
        yield restrict
    finally:
        os.close(ruleset)


def _allow_path(libc: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            allowed &= _OF_FILES
        rule = struct.pack("=Qi", allowed, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
