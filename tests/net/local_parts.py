"""The parts that a connection or a datagram port needs, for loopback and namespaces."""

from __future__ import annotations

from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.wall import ScopeWall, open_target

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}


def pace_of(udp_pps: int = 2000) -> Pace:
    """A pace that does not hold tests up."""
    return Pace(Rates(udp_pps=udp_pps), Clock())


def wall_of(*addresses: str) -> ScopeWall:
    """A wall open for these addresses."""
    return ScopeWall(opening for address in addresses for opening in open_target(address))
