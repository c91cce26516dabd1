"""Where a packet to a written address really goes.

Operating systems and libraries read far more spellings than the canonical ones: "0", "127.1", "0x7f000001", full
width digits, IPv4 inside IPv6. The wall knows one spelling only and looks inside every IPv6 address that carries an
IPv4 address, because the packet ends up there.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV4_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""RFC 4291 2.5.5.2."""

_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
"""RFC 4291 2.5.5.1, deprecated."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052 2.1: the last 32 bits are the IPv4 address behind the translator."""
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
"""RFC 8215: where the IPv4 address stands depends on the network, so it cannot be read from here."""


@lru_cache(maxsize=4096)
def read_literal(text: str) -> Address | None:
    """The address that a canonical literal names; None for every other text, also with a zone ("%eth0").

    An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) is the IPv4 address: the kernel sends it as IPv4.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.scope_id is not None:
        return None
    return address.ipv4_mapped or address


def read_network(text: str) -> Network:
    """An address or a network in prefix notation; IPv4-mapped networks become IPv4 ones, as in `read_literal`.

    Raises ValueError when it is neither, or when bits stand behind the prefix.
    """
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_IPV4_MAPPED):
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


@lru_cache(maxsize=4096)
def destinations(address: Address) -> tuple[Address, ...]:
    """The address itself and the IPv4 address that it carries, where it carries one."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    carried = _carried_ipv4(address)
    return (address,) if carried is None else (address, carried)


def _carried_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.is_loopback or address.is_unspecified:
        return None
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return None if address.teredo is None else address.teredo[1]


@lru_cache(maxsize=4096)
def is_never_a_target(address: Address) -> bool:
    """Whether no scope can open it: it names no single machine, or hides which one (RFC 6890, RFC 8215)."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_unspecified or address.is_multicast or address in _NAT64_LOCAL
    # 0.0.0.0/8 is "this host" (RFC 1122 3.2.1.3); 240.0.0.0/4 holds the limited broadcast address.
    return address.packed[0] == 0 or address.is_multicast or address.is_reserved


def is_local_only(address: Address) -> bool:
    """Whether it never leaves this machine or this link, so that only a rule about just that may open it."""
    return address.is_loopback or address.is_link_local
