"""What the operating system says when it cannot send, as a reason why we could not look."""

from __future__ import annotations

import errno
import os
from collections.abc import Container

from flexiscan.model.failure import FailureKind
from flexiscan.model.icmp import IcmpError
from flexiscan.net.link import CannotLook
from flexiscan.net.reach import source_address
from flexiscan.net.wall import ScopeViolation

_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_NO_PRIVILEGE = (errno.EACCES, errno.EPERM)
_NO_RESOURCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EADDRINUSE)


def obstacle_of(error: OSError, address: str) -> CannotLook:
    """The reason behind an error of a system call of ours on the way to `address`."""
    if isinstance(error, ScopeViolation):
        return CannotLook(error.reason, error.detail)
    return CannotLook(_reason_of(error.errno, address), os.strerror(error.errno or 0))


def _reason_of(number: int | None, address: str) -> FailureKind:
    if number in _NO_ROUTE:
        return "no-route"
    if number in _NO_PRIVILEGE:
        return "no-privilege"
    if number in _NO_RESOURCE:
        return "no-resource"
    if number == errno.EADDRNOTAVAIL:
        # Either no source address of that family, or no free local port.
        return "no-route" if source_address(address) is None else "no-resource"
    return "internal"


def own_refusal(icmp: IcmpError, address: str, own: Container[str | None]) -> CannotLook | None:
    """The obstacle when one of our own addresses refused a packet to `address`; None when others did.

    Read as an answer, a reject rule in the scanner's own packet filter would be taken for one in front of the target.
    "Host unreachable" is kept as an answer: there the scanner is the last router, and no neighbour answered it.
    """
    if icmp.offender == address or icmp.meaning == "host-unreachable":
        return None
    if icmp.offender not in own:
        return None
    return CannotLook("no-privilege", f"this machine itself refused the packet ({icmp.meaning})")
