"""Gives up every privilege but the one to open raw sockets (capabilities(7), prctl(2)). Linux only.

Two steps, because Python loads modules in between: `narrow` keeps what the second step needs and the identity of root,
who may read root's files without any capability; `leave_root` gives up both. What is left is checked, not assumed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
from collections.abc import Collection
from typing import Final

CAP_SETGID: Final = 6
CAP_SETUID: Final = 7
CAP_SETPCAP: Final = 8
CAP_NET_RAW: Final = 13
"""linux/capability.h."""
_VERSION_3: Final = 0x20080522
_LARGEST: Final = 63

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
"""linux/prctl.h."""

NOBODY: Final = 65534
"""The user and group that own nothing (fs.overflowuid)."""
MAX_MEMORY_BYTES: Final = 1024**3


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Words(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


_Sets = _Words * 2


def narrow() -> None:
    """Keep CAP_NET_RAW and what `leave_root` needs; no program started from here can have more. Raises OSError."""
    libc = _libc()
    with contextlib.suppress(OSError):  # before Linux 4.3 there are none
        _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    held = _held(libc)
    if CAP_SETPCAP in held:
        _empty_bounding_set(libc)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _keep(libc, held & {CAP_NET_RAW, CAP_SETUID, CAP_SETGID})
    _limit()


def leave_root() -> frozenset[int]:
    """Become nobody where that is possible, keep CAP_NET_RAW alone; the capabilities that are left.

    Raises OSError, PermissionError when there is no CAP_NET_RAW to keep.
    """
    libc = _libc()
    if os.geteuid() == 0:
        _prctl(libc, _PR_SET_KEEPCAPS, 1)
        # In a user namespace without a mapping for nobody there is nobody else to become.
        with contextlib.suppress(PermissionError, OSError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
        with contextlib.suppress(PermissionError, OSError):
            os.setresuid(NOBODY, NOBODY, NOBODY)
    _keep(libc, _held(libc) & {CAP_NET_RAW})
    left = _held(libc)
    if left != {CAP_NET_RAW}:
        raise PermissionError(errno.EPERM, f"the capabilities are {sorted(left)}, not CAP_NET_RAW alone")
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    # A change of user clears it, so it comes last.
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    return frozenset(left)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _held(libc: ctypes.CDLL) -> set[int]:
    """Effective and permitted capabilities together."""
    sets = _Sets()
    _done(libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(sets)), "capget")
    mask = [word.effective | word.permitted for word in sets]
    return {number for number in range(_LARGEST + 1) if mask[number // 32] >> number % 32 & 1}


def _keep(libc: ctypes.CDLL, wanted: Collection[int]) -> None:
    sets = _Sets()
    for number in wanted:
        sets[number // 32].effective |= 1 << number % 32
        sets[number // 32].permitted |= 1 << number % 32
    _done(libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(sets)), "capset")


def _empty_bounding_set(libc: ctypes.CDLL) -> None:
    for number in range(_LARGEST + 1):
        try:
            _prctl(libc, _PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # this kernel knows no more capabilities
                return
            raise


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def _prctl(libc: ctypes.CDLL, option: int, argument: int) -> None:
    longs = [ctypes.c_ulong(value) for value in (argument, 0, 0, 0)]
    _done(libc.prctl(ctypes.c_int(option), *longs), f"prctl {option}")


def _done(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
