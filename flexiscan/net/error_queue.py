"""The error queue of a Linux socket: which ICMP error came, from whom, about which of our packets.

It needs no privilege. Without it a socket learns an error number at most, and an unconnected one nothing at all.
Numbers are from linux/in.h, linux/in6.h and linux/errqueue.h; Python names few of them.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from dataclasses import dataclass

from flexiscan.model.icmp import IcmpError

IS_AVAILABLE = sys.platform == "linux" and "FLEXISCAN_WITHOUT_ERROR_QUEUE" not in os.environ
"""The variable is for tests: it makes Linux as blind as other systems are."""

_IP_RECVERR = 11
_IP_RECVTTL = 12
_IP_TTL = 2
_IPV6_RECVERR = 25
_IPV6_RECVHOPLIMIT = 51
_IPV6_HOPLIMIT = 52
_MSG_ERRQUEUE = 0x2000
_FROM_ICMP = 2
_FROM_ICMP6 = 3
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""struct sock_extended_err: errno, origin, type, code, padding, info, data; the sender's address follows."""
_DATA_SPACE = 2048
_ANCILLARY_SPACE = 512
_FRAGMENTATION_NEEDED = (("ipv4", 3, 4), ("ipv6", 2, 0))
"""Path MTU discovery (RFC 1191, RFC 8201): no statement about the destination."""


@dataclass(frozen=True, slots=True)
class QueuedError:
    """One entry of the queue."""

    icmp: IcmpError
    to_port: int
    quoted: bytes


def ask_for_errors(sock: socket.socket) -> None:
    """Have ICMP errors queued, with their own hop limit; call it before anything is sent."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)


def stop_asking(sock: socket.socket) -> None:
    """Empty the queue and have no more errors queued: on a connected stream they would be fatal."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 0)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 0)


def hop_limit_message(family: int, hop_limit: int) -> tuple[int, int, bytes]:
    """Ancillary data that gives one datagram its own TTL or hop limit."""
    value = struct.pack("=i", hop_limit)
    if family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, _IPV6_HOPLIMIT, value
    return socket.IPPROTO_IP, _IP_TTL, value


def drain_errors(sock: socket.socket) -> list[QueuedError]:
    """All ICMP errors that are queued now; other entries (local ones, path MTU) are dropped. Never blocks."""
    drained: list[QueuedError] = []
    while True:
        try:
            quoted, ancillary, _, destination = sock.recvmsg(_DATA_SPACE, _ANCILLARY_SPACE, _MSG_ERRQUEUE)
        except OSError:
            return drained
        icmp = _read_icmp(ancillary)
        if icmp is not None:
            port = destination[1] if isinstance(destination, tuple) and len(destination) > 1 else 0
            drained.append(QueuedError(icmp, port, quoted))


def _read_icmp(ancillary: list[tuple[int, int, bytes]]) -> IcmpError | None:
    extended: bytes | None = None
    hop_limit: int | None = None
    for level, kind, value in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            extended = value
        elif (level, kind) in ((socket.IPPROTO_IP, _IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)):
            hop_limit = int(struct.unpack("=i", value)[0])
    if extended is None:
        return None
    _, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(extended)
    offender = _read_offender(extended[_EXTENDED_ERROR.size :])
    if origin not in (_FROM_ICMP, _FROM_ICMP6) or offender is None:
        return None
    family = "ipv4" if origin == _FROM_ICMP else "ipv6"
    if (family, icmp_type, code) in _FRAGMENTATION_NEEDED:
        return None
    return IcmpError(
        family="ipv4" if origin == _FROM_ICMP else "ipv6",
        icmp_type=icmp_type,
        code=code,
        offender=offender,
        hop_limit=hop_limit,
    )


def _read_offender(address: bytes) -> str | None:
    """The address in a sockaddr_in (at 4) or sockaddr_in6 (at 8)."""
    family = struct.unpack_from("=H", address)[0] if len(address) >= 2 else None
    if family == socket.AF_INET:
        return str(ipaddress.IPv4Address(address[4:8]))
    if family == socket.AF_INET6:
        return str(ipaddress.IPv6Address(address[8:24]))
    return None
