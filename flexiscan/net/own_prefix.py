"""Sending from any address of an IPv6 prefix that is routed to this machine, without any privilege.

Needed is a route "local PREFIX dev lo": the kernel then takes every address of the prefix for its own. Routers and
hosts limit their ICMP errors for each address that they answer to (measured: Linux gives every one a bucket of its
own), so a fresh source for every datagram is never limited.
Numbers are from linux/in6.h and asm-generic/socket.h; Python names few of them.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Final

from flexiscan.net.error_queue import IS_AVAILABLE

SHORTEST, LONGEST = 48, 120
"""Prefix lengths: the shortest that a site is given (RFC 6177), and one that still has a few hundred addresses."""
_IPV6_FREEBIND: Final = 78
_IN6_PKTINFO: Final = struct.Struct("=16sI")
"""struct in6_pktinfo: source address, interface (0: whichever the route says)."""
_SO_BINDTODEVICE: Final = 25
_ANY_PORT: Final = 9
"""Discard (RFC 863). Connecting a datagram socket only looks up the route."""


def read_prefix(text: str) -> ipaddress.IPv6Network:
    """A prefix to send from. Raises ValueError that says what is wrong with it."""
    prefix = ipaddress.IPv6Network(text)
    if not SHORTEST <= prefix.prefixlen <= LONGEST:
        raise ValueError(f"its length must be /{SHORTEST} to /{LONGEST}")
    if prefix.is_multicast or prefix.is_link_local or prefix.is_loopback or prefix.is_unspecified:
        raise ValueError("nobody outside can answer its addresses")
    return prefix


def is_own(prefix: ipaddress.IPv6Network) -> bool:
    """Whether the kernel takes the addresses of a prefix for its own. Asks the routing table; sends nothing."""
    return all(_is_local(prefix[number]) for number in (1, prefix.num_addresses // 2, prefix.num_addresses - 1))


def _is_local(address: ipaddress.IPv6Address) -> bool:
    """Whether packets to the address stay here: then there is a way to it over the loopback device."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            allow_any_source(sock)
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, b"lo")
            sock.connect((str(address), _ANY_PORT))
    except OSError:
        return False
    return True


def allow_any_source(sock: socket.socket) -> None:
    """Let a socket send from addresses that no interface carries. Raises OSError where the system cannot do that."""
    if not IS_AVAILABLE:
        raise OSError("sources of a prefix need Linux")
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)


def source_message(source: str) -> tuple[int, int, bytes]:
    """Ancillary data that gives one IPv6 datagram its own source address (RFC 3542 6.2)."""
    packed = _IN6_PKTINFO.pack(ipaddress.IPv6Address(source).packed, 0)
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed
