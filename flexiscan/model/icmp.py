"""ICMP and ICMPv6 errors as facts, and what the pair of numbers means."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen

IcmpMeaning = Literal[
    "port-unreachable",
    "prohibited",
    "protocol-unreachable",
    "host-unreachable",
    "network-unreachable",
    "time-exceeded",
    "other",
]

# RFC 792, RFC 1122 3.2.2.1 and RFC 1812 5.2.7.1 (codes 9, 10, 13).
_V4: dict[tuple[int, int], IcmpMeaning] = {
    (3, 0): "network-unreachable",
    (3, 1): "host-unreachable",
    (3, 2): "protocol-unreachable",
    (3, 3): "port-unreachable",
    (3, 6): "network-unreachable",
    (3, 7): "host-unreachable",
    (3, 8): "host-unreachable",
    (3, 9): "prohibited",
    (3, 10): "prohibited",
    (3, 13): "prohibited",
    (11, 0): "time-exceeded",
}
# RFC 4443 3.1 and 3.3.
_V6: dict[tuple[int, int], IcmpMeaning] = {
    (1, 0): "network-unreachable",
    (1, 1): "prohibited",
    (1, 3): "host-unreachable",
    (1, 4): "port-unreachable",
    (1, 5): "prohibited",
    (1, 6): "prohibited",
    (3, 0): "time-exceeded",
}


class IcmpError(Frozen):
    """An ICMP error that quoted one of our packets."""

    family: Literal["ipv4", "ipv6"]
    icmp_type: int
    code: int
    offender: str
    """Address of the sender of the error."""
    hop_limit: int | None = None
    """TTL or hop limit of the error itself as it arrived: tells how far away its sender is."""

    @property
    def meaning(self) -> IcmpMeaning:
        """The reading of type and code."""
        table = _V4 if self.family == "ipv4" else _V6
        return table.get((self.icmp_type, self.code), "other")
