"""Networks that are no place for a public server: the IANA special-purpose registries, and what stands beside them.

Sources: "IANA IPv4 Special-Purpose Address Registry" and "IANA IPv6 Special-Purpose Address Registry"
(https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry), in the state named
below. The registries do not list multicast, the retired site-local and IPv4-compatible ranges, and the IPv6 space
that was never allocated: those rows name the RFC instead.
"""

from __future__ import annotations

from dataclasses import dataclass

REGISTRIES_UPDATED = "2025-10-09"
"""Date of the last change that the table knows, of both registries."""


@dataclass(frozen=True, slots=True)
class SpecialNetwork:
    """One network and why an address in it is special.

    `reachable` is the registry's column "Globally Reachable"; None where the registry says N/A or nothing. A
    network may be reachable and yet no place for a server of one's own (anycast, measurement, tunnels).
    """

    network: str
    code: str
    source: str
    reachable: bool | None = False
    in_registry: bool = True


IPV4_NETWORKS = (
    SpecialNetwork("0.0.0.0/8", "this-network", "RFC 791 3.2"),
    SpecialNetwork("0.0.0.0/32", "unspecified", "RFC 1122 3.2.1.3"),
    SpecialNetwork("10.0.0.0/8", "private", "RFC 1918"),
    SpecialNetwork("100.64.0.0/10", "carrier-grade-nat", "RFC 6598"),
    SpecialNetwork("127.0.0.0/8", "loopback", "RFC 1122 3.2.1.3"),
    SpecialNetwork("169.254.0.0/16", "link-local", "RFC 3927"),
    SpecialNetwork("172.16.0.0/12", "private", "RFC 1918"),
    SpecialNetwork("192.0.0.0/24", "protocol-assignment", "RFC 6890 2.1"),
    SpecialNetwork("192.0.0.0/29", "service-continuity", "RFC 7335"),
    SpecialNetwork("192.0.0.8/32", "dummy", "RFC 7600"),
    SpecialNetwork("192.0.0.9/32", "protocol-anycast", "RFC 7723", reachable=True),
    SpecialNetwork("192.0.0.10/32", "protocol-anycast", "RFC 8155", reachable=True),
    SpecialNetwork("192.0.0.170/32", "nat64-discovery", "RFC 8880, RFC 7050 2.2"),
    SpecialNetwork("192.0.0.171/32", "nat64-discovery", "RFC 8880, RFC 7050 2.2"),
    SpecialNetwork("192.0.2.0/24", "documentation", "RFC 5737"),
    SpecialNetwork("192.31.196.0/24", "as112", "RFC 7535", reachable=True),
    SpecialNetwork("192.52.193.0/24", "multicast-tunnelling", "RFC 7450", reachable=True),
    SpecialNetwork("192.88.99.0/24", "6to4-relay", "RFC 7526", reachable=None),
    SpecialNetwork("192.88.99.2/32", "6a44-relay", "RFC 6751"),
    SpecialNetwork("192.168.0.0/16", "private", "RFC 1918"),
    SpecialNetwork("192.175.48.0/24", "as112", "RFC 7534", reachable=True),
    SpecialNetwork("198.18.0.0/15", "benchmarking", "RFC 2544"),
    SpecialNetwork("198.51.100.0/24", "documentation", "RFC 5737"),
    SpecialNetwork("203.0.113.0/24", "documentation", "RFC 5737"),
    SpecialNetwork("224.0.0.0/4", "multicast", "RFC 5771", reachable=None, in_registry=False),
    SpecialNetwork("240.0.0.0/4", "reserved", "RFC 1112 4"),
    SpecialNetwork("255.255.255.255/32", "broadcast", "RFC 8190, RFC 919 7"),
)

IPV6_NETWORKS = (
    # Unicast addresses are given out from 2000::/3 alone (RFC 4291 2.4, IANA IPv6 address space registry).
    SpecialNetwork("::/0", "unallocated", "RFC 4291 2.4", in_registry=False),
    SpecialNetwork("::1/128", "loopback", "RFC 4291 2.5.3"),
    SpecialNetwork("::/128", "unspecified", "RFC 4291 2.5.2"),
    SpecialNetwork("::/96", "ipv4-compatible", "RFC 4291 2.5.5.1", in_registry=False),
    SpecialNetwork("::ffff:0:0/96", "ipv4-mapped", "RFC 4291 2.5.5.2"),
    SpecialNetwork("64:ff9b::/96", "nat64", "RFC 6052", reachable=True),
    SpecialNetwork("64:ff9b:1::/48", "nat64-local", "RFC 8215"),
    SpecialNetwork("100::/64", "discard-only", "RFC 6666"),
    SpecialNetwork("100:0:0:1::/64", "dummy", "RFC 9780"),
    SpecialNetwork("2001::/23", "protocol-assignment", "RFC 2928"),
    SpecialNetwork("2001::/32", "teredo", "RFC 4380, RFC 8190", reachable=None),
    SpecialNetwork("2001:1::1/128", "protocol-anycast", "RFC 7723", reachable=True),
    SpecialNetwork("2001:1::2/128", "protocol-anycast", "RFC 8155", reachable=True),
    SpecialNetwork("2001:1::3/128", "protocol-anycast", "RFC 9665", reachable=True),
    SpecialNetwork("2001:2::/48", "benchmarking", "RFC 5180"),
    SpecialNetwork("2001:3::/32", "multicast-tunnelling", "RFC 7450", reachable=True),
    SpecialNetwork("2001:4:112::/48", "as112", "RFC 7535", reachable=True),
    SpecialNetwork("2001:10::/28", "orchid", "RFC 4843", reachable=None),
    SpecialNetwork("2001:20::/28", "orchid", "RFC 7343", reachable=True),
    SpecialNetwork("2001:30::/28", "drone-id", "RFC 9374", reachable=True),
    SpecialNetwork("2001:db8::/32", "documentation", "RFC 3849"),
    SpecialNetwork("2002::/16", "6to4", "RFC 3056", reachable=None),
    SpecialNetwork("2620:4f:8000::/48", "as112", "RFC 7534", reachable=True),
    SpecialNetwork("3fff::/20", "documentation", "RFC 9637"),
    SpecialNetwork("5f00::/16", "srv6-sid", "RFC 9602"),
    SpecialNetwork("fc00::/7", "unique-local", "RFC 4193, RFC 8190"),
    SpecialNetwork("fe80::/10", "link-local", "RFC 4291 2.5.6"),
    SpecialNetwork("fec0::/10", "site-local", "RFC 3879", in_registry=False),
    SpecialNetwork("ff00::/8", "multicast", "RFC 4291 2.7", reachable=None, in_registry=False),
)

IPV6_UNICAST = "2000::/3"
"""Global unicast as far as it was ever given out: an address in it that no row above names is public."""
