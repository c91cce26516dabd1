"""What became of a pending TCP connect, read from its socket.

Linux reports a reset and an ICMP "port unreachable" with the same error number. Only the error queue of the socket
tells them apart: it is empty after a reset, and names type, code and sender of an ICMP error. Without it, both are
"refused".
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final, Literal

from flexiscan.model.icmp import IcmpError
from flexiscan.net.error_queue import IS_AVAILABLE, ask_for_errors, drain_errors
from flexiscan.net.obstacle import own_refusal
from flexiscan.net.socket_family import socket_family

_UNREACHABLE: Final = (
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    getattr(errno, "ENONET", errno.EHOSTDOWN),
    errno.EOPNOTSUPP,
    errno.EPROTO,
)
"""What an ICMP error makes of a pending connect (icmp_err_convert in Linux, net/ipv4/icmp.c and net/ipv6/icmp.c)."""
_AFTER_ACCEPTING: Final[dict[int, Literal["closed", "reset"]]] = {errno.ECONNRESET: "reset", errno.EPIPE: "closed"}
"""A reset after the handshake, without and with a FIN before it (tcp_reset() in Linux): so it had been accepted."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The handshake is complete. `broken`: the peer has closed or reset the connection meanwhile."""

    broken: Literal["", "closed", "reset"] = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """One attempt that brought no connection."""

    outcome: Literal["reset", "icmp", "silence", "refused"]
    icmp: IcmpError | None = None


def open_stream(address: str) -> socket.socket:
    """A nonblocking TCP socket that tells of ICMP errors. Raises OSError."""
    sock = socket.socket(socket_family(address), socket.SOCK_STREAM)
    sock.setblocking(False)
    if IS_AVAILABLE:
        ask_for_errors(sock)
    return sock


def fate_of(sock: socket.socket, address: str) -> Accepted | Refused | None:
    """What became of the connect so far; None while nothing has. Raises OSError or CannotLook for our own refusals."""
    if _is_connected(sock):
        return Accepted()
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number in _AFTER_ACCEPTING:
        return Accepted(_AFTER_ACCEPTING[number])
    return _refusal(sock, address, number)


def _refusal(sock: socket.socket, address: str, number: int) -> Refused | None:
    """What the error number and the error queue say; None while they say nothing about the connect."""
    errors = drain_errors(sock) if IS_AVAILABLE else []
    if errors:
        obstacle = own_refusal(errors[0].icmp, address, (sock.getsockname()[0],))
        if obstacle is not None:
            raise obstacle
        return Refused("icmp", errors[0].icmp)
    if number == errno.ECONNREFUSED:
        return Refused("reset" if IS_AVAILABLE else "refused")
    if number == errno.ETIMEDOUT:
        return Refused("silence")
    if number in _UNREACHABLE:
        return Refused("icmp")
    if number:
        raise OSError(number, os.strerror(number))
    return None


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def has_met_itself(sock: socket.socket) -> bool:
    """Whether the socket was given the very port it connects to, and answered itself (RFC 9293 3.5)."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # it was reset in this very moment; the next read tells
        return False
