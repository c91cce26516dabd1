"""From a literal address to the family of its socket."""

from __future__ import annotations

import ipaddress
import socket


def socket_family(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6. Raises ValueError when the address is no literal, has a zone, or is IPv4 inside IPv6.

    An IPv4-mapped address on an IPv6 socket is sent as IPv4, and its ICMP errors go to neither error queue.
    """
    literal = ipaddress.ip_address(address)
    if isinstance(literal, ipaddress.IPv4Address):
        return socket.AF_INET
    if literal.ipv4_mapped is not None or literal.scope_id is not None:
        raise ValueError(f"{address} is not the plain form of an address")
    return socket.AF_INET6
