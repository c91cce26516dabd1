"""The sweep itself: paced receiver reports over a sample of a range, and what came back from which port.

The first inbound media packet ends all sending at once: a stray datagram must never go on into a live call.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from flexiscan.model.facts import IcmpTally, MediaSeen, SweepPort
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import Context, Datagram, DatagramPort, IcmpNotice
from flexiscan_probes.wire import rtcp

CANARY_PAUSE_S: Final = 0.2
"""Five a second, so that the comparison does not use up an ICMP allowance."""
CANARY_WAIT_S: Final = 1.0
CANARY_TRIES: Final = 2
PASS_WAIT_S: Final = 1.5
"""After each pass, for answers under way; also the least time between two datagrams to one port."""
REFILL_S: Final = {"ipv4": 6.0, "ipv6": 1.0}
"""Until Linux may send its burst of six errors again (one a second on IPv4, ten a second on IPv6)."""
FEW_SILENT: Final = 0.1
"""Share of silent ports among answering ones up to which each silent one is worth a third datagram."""


@dataclass(slots=True)
class RangeSweep:
    """One sweep over one address; everything that came back is noted by port."""

    ctx: Context
    link: DatagramPort
    payload: bytes
    asked: set[int] = field(default_factory=set)
    """Ports that got at least one datagram, canaries included."""
    datagrams: int = 0
    icmp: dict[int, IcmpError] = field(default_factory=dict)
    data: set[int] = field(default_factory=set)
    recent: set[int] = field(default_factory=set)
    """Ports that something came back from since the last comparison began."""
    media: dict[int, rtcp.MediaHeader | None] = field(default_factory=dict)
    media_packets: Counter[int] = field(default_factory=Counter)

    @property
    def media_seen(self) -> bool:
        """Whether a media packet has arrived: nothing may be sent after that."""
        return bool(self.media_packets)

    def silent(self, ports: Iterable[int]) -> list[int]:
        """Those of the ports that nothing came back from, in the same order."""
        return [port for port in ports if port not in self.icmp and port not in self.data]

    async def ask(self, ports: Sequence[int]) -> None:
        """One datagram to each port, as fast as the pace allows, listening after every one."""
        for port in ports:
            await self._send(port)
            await self._drain()
            if self.media_seen:
                return
        await self.listen(PASS_WAIT_S, until=lambda: not self.silent(ports))

    async def compare(self, ports: Sequence[int]) -> tuple[SweepPort, ...]:
        """Ask canaries slowly and more than once; what each of them did."""
        self.recent.clear()
        for _ in range(CANARY_TRIES):
            for port in [port for port in ports if port not in self.recent]:
                if self.media_seen:
                    break
                await self._send(port)
                await self.listen(CANARY_PAUSE_S)
            await self.listen(CANARY_WAIT_S, until=lambda: self.recent.issuperset(ports))
        return tuple(self._as_swept(port) for port in ports)

    async def listen(self, wait_s: float, until: Callable[[], bool] = lambda: False) -> None:
        """Note everything that comes within a time; ends early with the first media packet, or by `until`."""
        ends_s = self.ctx.monotonic() + wait_s
        while not self.media_seen and not until() and (left_s := ends_s - self.ctx.monotonic()) > 0:
            event = await self.link.next(timeout_s=left_s)
            if event is not None:
                self.note(event)

    async def _send(self, port: int) -> None:
        await self.link.send(self.payload, port=port)
        self.asked.add(port)
        self.datagrams += 1

    async def _drain(self) -> None:
        while (event := await self.link.next(timeout_s=0.0)) is not None:
            self.note(event)

    def note(self, event: Datagram | IcmpNotice) -> None:
        """Take in one event; other addresses and errors about packets that are not ours say nothing."""
        if isinstance(event, IcmpNotice):
            if event.to_port in self.asked and _may_quote(event.quoted, self.payload):
                self.icmp[event.to_port] = event.icmp
                self.recent.add(event.to_port)
        elif ip_address(event.from_address) == ip_address(self.link.address):
            self.recent.add(event.from_port)
            if rtcp.is_media(event.data) and event.data != self.payload:  # an echo is no media
                self.media.setdefault(event.from_port, rtcp.read_header(event.data))
                self.media_packets[event.from_port] += 1
            self.data.add(event.from_port)

    def icmp_tallies(self, ports: Collection[int]) -> tuple[IcmpTally, ...]:
        """ICMP errors about these ports, grouped by kind and sender, the commonest first."""
        groups: dict[IcmpError, list[int]] = defaultdict(list)
        for port in sorted(set(ports) & self.icmp.keys()):
            groups[self.icmp[port]].append(port)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1]))
        return tuple(IcmpTally(icmp=icmp, ports=tuple(members)) for icmp, members in ordered)

    def media_counts(self) -> tuple[MediaSeen, ...]:
        """Media by port: counts and header facts, no content."""
        return tuple(
            MediaSeen(
                port=port,
                packets=packets,
                payload_type=None if (header := self.media[port]) is None else header.payload_type,
                ssrc=None if header is None else header.ssrc,
            )
            for port, packets in sorted(self.media_packets.items())
        )

    def _as_swept(self, port: int) -> SweepPort:
        if port not in self.recent:
            return SweepPort(port=port, reply="silence")
        if port in self.data:
            return SweepPort(port=port, reply="data")
        return SweepPort(port=port, reply="icmp", icmp=self.icmp[port])


def reordered(ports: Sequence[int], chance: random.Random) -> list[int]:
    """The ports in a new random order."""
    return chance.sample(list(ports), len(ports))


def _may_quote(quoted: bytes, payload: bytes) -> bool:
    """Routers may quote as little as nothing of the payload, and may pad it."""
    return payload.startswith(quoted[: len(payload)])
