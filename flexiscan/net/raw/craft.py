"""Makes SYNs with scapy. The only module that loads it (GPL-2.0-only): see docs/licences.md.

It is imported by the process with raw sockets alone, never by the scanner. Source and destination are always given,
so that scapy asks no routing table.
"""

from __future__ import annotations

from typing import Final

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

_HOP_LIMIT: Final = 64
_WINDOW: Final = 64240
_SEGMENT: Final = {"ipv4": 1460, "ipv6": 1440}
"""What Linux announces over Ethernet: filters that take unusual SYNs for attacks must not take ours for one."""


def make_syn(
    source: str, source_port: int, address: str, port: int, *, sequence: int, ip_id: int, now_ms: int
) -> bytes:
    """A whole IP packet with a SYN as Linux makes it."""
    is_ipv6 = ":" in address
    options = [
        ("MSS", _SEGMENT["ipv6" if is_ipv6 else "ipv4"]),
        ("SAckOK", b""),
        ("Timestamp", (now_ms & 0xFFFFFFFF, 0)),
        ("NOP", None),
        ("WScale", 7),
    ]
    syn = TCP(sport=source_port, dport=port, seq=sequence, flags="S", window=_WINDOW, options=options)
    if is_ipv6:
        return bytes(IPv6(src=source, dst=address, hlim=_HOP_LIMIT) / syn)
    return bytes(IP(src=source, dst=address, ttl=_HOP_LIMIT, id=ip_id, flags="DF") / syn)
