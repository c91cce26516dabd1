"""What kind of address it is, and whether a public server can stand there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from flexiscan.policy.dns.special_networks import IPV4_NETWORKS, IPV6_NETWORKS, IPV6_UNICAST, SpecialNetwork

GLOBAL = "global"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RFC1918 = tuple(ipaddress.IPv4Network(row.network) for row in IPV4_NETWORKS if row.code == "private")


@dataclass(frozen=True, slots=True)
class AddressClass:
    """The most specific network of the table that holds the address.

    `code` is "global" for an ordinary public address, otherwise the reason why it is not one, e.g. "private",
    "unique-local", "nat64". `embedded_ipv4` is the IPv4 address written inside a mapped, compatible, 6to4,
    Teredo (the client's) or NAT64 address.
    """

    code: str
    network: str
    source: str
    embedded_ipv4: str | None = None

    @property
    def public(self) -> bool:
        """True for "global" alone: also a globally reachable special address is no place for a server."""
        return self.code == GLOBAL


Disclosure = Literal["", "mac-address", "private-ipv4"]


def classify(address: str) -> AddressClass:
    """The class of a literal address, by longest prefix (RFC 6890). Raises ValueError when it is not one."""
    parsed = ipaddress.ip_address(address)
    for network, row in _table(parsed.version):
        if parsed in network:
            return AddressClass(row.code, row.network, row.source, _embedded_ipv4(parsed, row.code))
    raise AssertionError(f"the table has no row for {address}")


def is_public(address: str, assume_public: Iterable[str] = ()) -> bool:
    """Whether a public server can have this address; networks in `assume_public` (CIDR) count as public.

    Raises ValueError for anything that is not an address or a network.
    """
    parsed = ipaddress.ip_address(address)
    if any(parsed in ipaddress.ip_network(network, strict=False) for network in assume_public):
        return True
    return classify(address).public


def disclosure_of(address: str) -> Disclosure:
    """What a public IPv6 address tells about the machine behind it (RFC 7721 3 and 4.3).

    "mac-address": the lower half is made from one (ff:fe in the middle). "private-ipv4": its last 32 bits are an
    RFC 1918 address after 32 zero bits, the usual way to number a host alike in both families.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return ""
    lower = int(parsed) & (2**64 - 1)
    if (lower >> 24) & 0xFFFF == 0xFFFE:
        return "mac-address"
    last = ipaddress.IPv4Address(lower & 0xFFFFFFFF)
    if lower >> 32 == 0 and any(last in network for network in _RFC1918):
        return "private-ipv4"
    return ""


@cache
def _table(version: int) -> tuple[tuple[_Network, SpecialNetwork], ...]:
    """Rows with the longest prefix first; the last row of each family holds everything."""
    ordinary = {
        4: SpecialNetwork("0.0.0.0/0", GLOBAL, "IANA IPv4 address space registry", reachable=True),
        6: SpecialNetwork(IPV6_UNICAST, GLOBAL, "RFC 4291 2.5.4", reachable=True),
    }
    rows = (*(IPV4_NETWORKS if version == 4 else IPV6_NETWORKS), ordinary[version])
    parsed = ((ipaddress.ip_network(row.network), row) for row in rows)
    return tuple(sorted(parsed, key=lambda entry: -entry[0].prefixlen))


def _embedded_ipv4(address: _Address, code: str) -> str | None:
    bits = int(address)
    match code:
        case "ipv4-mapped" | "ipv4-compatible" | "nat64":  # RFC 4291 2.5.5, RFC 6052 2.2: the last 32 bits
            return str(ipaddress.IPv4Address(bits & 0xFFFFFFFF))
        case "6to4":  # RFC 3056 2: after the first 16 bits
            return str(ipaddress.IPv4Address((bits >> 80) & 0xFFFFFFFF))
        case "teredo":  # RFC 4380 4: the client's address, every bit inverted
            return str(ipaddress.IPv4Address(~bits & 0xFFFFFFFF))
        case _:
            return None
