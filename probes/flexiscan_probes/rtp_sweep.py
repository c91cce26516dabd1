"""The sweep itself: paced receiver reports over a sample of a range, and what came back from which port.

The first inbound media packet ends all sending at once: a stray datagram must never go on into a live call.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from flexiscan.model.facts import IcmpTally, MediaSeen, SweepPort
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import Context, Datagram, DatagramPort, IcmpNotice, Refusal
from flexiscan_probes.own_sources import OwnSources
from flexiscan_probes.path_trial import may_quote, tally
from flexiscan_probes.wire import rtcp

CANARY_PAUSE_S: Final = 0.2
"""Five a second, so that the comparison does not use up an ICMP allowance."""
CANARY_WAIT_S: Final = 1.0
CANARY_TRIES: Final = 2
PASS_WAIT_S: Final = 1.5
"""After each pass, for answers under way; also the least time between two datagrams to one port."""
FEW_SILENT: Final = 0.1
"""Share of silent ports among answering ones up to which each silent one is worth more datagrams."""


@dataclass(slots=True)
class RangeSweep:
    """One sweep over one address; everything that came back is noted by port."""

    ctx: Context
    link: DatagramPort
    payload: bytes
    sources: OwnSources | None = None
    asked: set[int] = field(default_factory=set)
    """Ports that got at least one datagram, canaries included."""
    datagrams: int = 0
    icmp: dict[int, IcmpError] = field(default_factory=dict)
    data: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    """Ports with an error that the system tells neither the kind nor the sender of."""
    recent: set[int] = field(default_factory=set)
    """Ports that something came back from since the last comparison began."""
    media: dict[int, rtcp.MediaHeader | None] = field(default_factory=dict)
    media_packets: Counter[int] = field(default_factory=Counter)
    near: set[int] = field(default_factory=set)
    """Ports that got a datagram which was to end before the server."""
    expired: dict[int, IcmpError] = field(default_factory=dict)
    """Where such datagrams ended, by port."""
    sent_by_second: Counter[int] = field(default_factory=Counter)
    errors_by_second: Counter[int] = field(default_factory=Counter)
    first_sent_s: float | None = None
    fresh: list[tuple[int, IcmpError]] = field(default_factory=list)
    """Errors, with their ports, that nobody has looked at yet."""

    @property
    def media_seen(self) -> bool:
        """Whether a media packet has arrived: nothing may be sent after that."""
        return bool(self.media_packets)

    def silent(self, ports: Iterable[int]) -> list[int]:
        """Those of the ports that nothing came back from, in the same order."""
        return [port for port in ports if port not in self.icmp and port not in self.data and port not in self.refused]

    async def ask(
        self,
        ports: Sequence[int],
        *,
        hop_limit: int | None = None,
        enough: Callable[[], bool] = lambda: False,
        wait_s: float = PASS_WAIT_S,
    ) -> None:
        """One datagram to each port, as fast as the pace allows, listening after every one, until `enough`."""
        for port in ports:
            await self.ask_one(port, hop_limit)
            if self.media_seen or enough():
                return
        await self.listen(wait_s, until=lambda: not self.silent(ports))

    async def ask_one(self, port: int, hop_limit: int | None = None) -> None:
        """One datagram to one port, and whatever has come back meanwhile."""
        await self._send(port, hop_limit)
        await self._drain()

    async def hear(self, wait_s: float) -> list[IcmpNotice]:
        """Listen for a while; also gives the ICMP errors themselves."""
        ends_s = self.ctx.monotonic() + wait_s
        heard: list[IcmpNotice] = []
        while (event := await self.link.next(timeout_s=max(0.0, ends_s - self.ctx.monotonic()))) is not None:
            self.note(event)
            if isinstance(event, IcmpNotice):
                heard.append(event)
            if self.media_seen:
                break
        return heard

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

    async def _send(self, port: int, hop_limit: int | None = None) -> None:
        own = None if self.sources is None or hop_limit is not None else await self.sources.for_datagram()
        await self.link.send(self.payload, port=port, hop_limit=hop_limit, source=own)
        self.datagrams += 1
        if hop_limit is not None:
            self.near.add(port)
            return
        self.asked.add(port)
        self.sent_by_second[self._second()] += 1

    def _second(self) -> int:
        now_s = self.ctx.monotonic()
        if self.first_sent_s is None:
            self.first_sent_s = now_s
        return int(now_s - self.first_sent_s)

    async def _drain(self) -> None:
        while (event := await self.link.next(timeout_s=0.0)) is not None:
            self.note(event)

    def note(self, event: Datagram | IcmpNotice | Refusal) -> None:
        """Take in one event; other addresses and errors about packets that are not ours say nothing."""
        if isinstance(event, Refusal):
            self.refused.add(event.to_port)
            self.recent.add(event.to_port)
        elif isinstance(event, IcmpNotice):
            if (event.to_port in self.asked or event.to_port in self.near) and may_quote(event.quoted, self.payload):
                self._note_error(event.to_port, event.icmp)
        elif ip_address(event.from_address) == ip_address(self.link.address):
            self.recent.add(event.from_port)
            if rtcp.is_media(event.data) and event.data != self.payload:  # an echo is no media
                self.media.setdefault(event.from_port, rtcp.read_header(event.data))
                self.media_packets[event.from_port] += 1
            self.data.add(event.from_port)

    def _note_error(self, port: int, icmp: IcmpError) -> None:
        if port in self.near and icmp.meaning == "time-exceeded":
            self.expired[port] = icmp
            return
        self.icmp[port] = icmp
        self.fresh.append((port, icmp))
        self.recent.add(port)
        self.errors_by_second[self._second()] += 1

    def icmp_tallies(self, ports: Collection[int]) -> tuple[IcmpTally, ...]:
        """ICMP errors about these ports, grouped by kind and sender, the commonest first."""
        return tally({port: icmp for port, icmp in self.icmp.items() if port in ports})

    def expired_tallies(self) -> tuple[IcmpTally, ...]:
        """Where datagrams ended that were to end before the server."""
        return tally(self.expired)

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
        if port not in self.icmp:
            return SweepPort(port=port, reply="refused")
        return SweepPort(port=port, reply="icmp", icmp=self.icmp[port])


def reordered(ports: Sequence[int], chance: random.Random) -> list[int]:
    """The ports in a new random order."""
    return chance.sample(list(ports), len(ports))
