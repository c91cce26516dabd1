"""A twin of the whole way: routers with allowances for ICMP errors, a filter among them, other traffic, losses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from flexiscan.model.endpoint import family_of
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import NO_LIMIT, Hops, IcmpNotice, NotConnected
from tests.probes.twin import TwinConnection, TwinContext, TwinDatagramPort, VirtualClock

FOREVER_S = 1e9


@dataclass
class Allowance:
    """A token bucket as Linux has one for each peer; other traffic draws on it too."""

    burst: float = 6.0
    per_s: float = 1.0
    tokens: float = 6.0
    last_s: float = 1000.0
    others: list[float] = field(default_factory=list)
    """When something else of the same peer makes the router speak, ascending."""

    def take(self, now_s: float) -> bool:
        while self.others and self.others[0] <= now_s:
            self._take(self.others.pop(0))
        return self._take(now_s)

    def _take(self, now_s: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now_s - self.last_s) * self.per_s)
        self.last_s = now_s
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass
class Way:
    """The routers between here and the server, and the hop whose filter drops UDP.

    `speaks` decides by chance on every error of the last router, beside its allowance.
    """

    address: str
    chance: random.Random
    routers: int = 3
    filter_at: int = 2
    """The filter looks at packets that go on from there; 0 for none."""
    allowed: Callable[[int], bool] = lambda port: False
    allowance: Allowance = field(default_factory=Allowance)
    speaks: float = 1.0
    loss: float = 0.0
    rtt_s: float = 0.01
    mute_to_udp: frozenset[int] = frozenset()
    """Routers that say nothing about datagrams."""

    def error_at(self, hop: int, now_s: float) -> IcmpError | None:
        """What a packet that ends at a router brings."""
        lost = self.chance.random() < 1.0 - (1.0 - self.loss) ** 2
        if hop == self.routers and not (self.chance.random() < self.speaks and self.allowance.take(now_s)):
            return None
        if lost:
            return None
        family = family_of(self.address)
        icmp_type = 11 if family == "ipv4" else 3
        offender = f"203.0.113.{hop}" if family == "ipv4" else f"2001:db8:3::{hop}"
        return IcmpError(family=family, icmp_type=icmp_type, code=0, offender=offender, hop_limit=65 - hop)

    def datagram(self, port: int, limit: int | None, now_s: float) -> IcmpError | None:
        """The server is silent: only routers ever speak."""
        if limit is None or limit > self.routers or limit in self.mute_to_udp:
            return None
        if 0 < self.filter_at < limit and not self.allowed(port):
            return None
        return self.error_at(limit, now_s)


class WayPort(TwinDatagramPort):
    def __init__(self, way: Way, clock: VirtualClock, pps: float) -> None:
        super().__init__(way.address, clock, lambda *_: (), pps)
        self._way = way
        self._limit: int | None = None

    async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None) -> None:
        self._limit = hop_limit
        self._network = self._answer
        await super().send(payload, port=port, hop_limit=hop_limit, source=source)

    def _answer(self, payload: bytes, port: int, now_s: float) -> list[tuple[float, IcmpNotice]]:
        icmp = self._way.datagram(port, self._limit, now_s)
        return [] if icmp is None else [(self._way.rtt_s, IcmpNotice(0.0, port, icmp, payload[:8]))]


class WayContext(TwinContext):
    """SYNs end at routers as datagrams do, and are answered from the same allowances; the filter lets them through."""

    def __init__(self, way: Way, *, pps: float = 200.0, seed: int = 7) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self._way = way
        self._pps = pps

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> TwinConnection | NotConnected:
        assert hops.limit is not None
        assert timeout_s < 1.0  # one SYN
        icmp = self._way.error_at(hops.limit, self.clock.now_s)
        if icmp is None or self._way.rtt_s > timeout_s:
            self.clock.now_s += timeout_s
            return NotConnected("silence", None, 1, timeout_s)
        self.clock.now_s += self._way.rtt_s
        return NotConnected("icmp", icmp, 1, self._way.rtt_s)

    def datagrams(self, address: str) -> WayPort:
        self.ports.append(port := WayPort(self._way, self.clock, self._pps))
        return port


def other_traffic(chance: random.Random, per_s: float, until_s: float = 400.0) -> list[float]:
    """Moments at which something else draws on the allowance: at random, or in bursts of eight."""
    moments: list[float] = []
    now_s = 1000.0
    burst = chance.choice((1, 8))
    while per_s > 0 and (now_s := now_s + chance.expovariate(per_s / burst)) < 1000.0 + until_s:
        moments += [now_s + 0.004 * number for number in range(burst)]
    return sorted(moments)
