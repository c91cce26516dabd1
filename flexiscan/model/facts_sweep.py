"""What a sweep over all TCP ports of an address met, kept as ranges and not as 65,535 rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from flexiscan.model.base import Frozen
from flexiscan.model.icmp import IcmpError

MAX_SPANS: Final = 2000
"""Ranges kept of one set; random sets of ports have tens of thousands."""

ConnectOutcome = Literal["accepted", "reset", "icmp", "silence", "refused"]


class PortSet(Frozen):
    """A set of ports."""

    count: int
    runs: int
    """Number of ranges without a gap."""
    spans: tuple[tuple[int, int], ...]
    """First and last port of each range, ascending; the first MAX_SPANS."""

    @classmethod
    def of(cls, ports: Iterable[int]) -> PortSet:
        """The set of these ports."""
        spans: list[list[int]] = []
        count = 0
        for port in sorted(set(ports)):
            count += 1
            if spans and port == spans[-1][1] + 1:
                spans[-1][1] = port
            else:
                spans.append([port, port])
        return cls(count=count, runs=len(spans), spans=tuple((first, last) for first, last in spans[:MAX_SPANS]))

    def ports(self) -> Iterator[int]:
        """Every port of the ranges that were kept, ascending."""
        for first, last in self.spans:
            yield from range(first, last + 1)


class SweepIcmp(Frozen):
    """ICMP errors of one kind and sender, and the ports that they spoke of."""

    icmp: IcmpError
    ports: PortSet


class SweepCanary(Frozen):
    """A port taken by chance that was asked before, during and after a sweep: what it did each time."""

    port: int
    answers: tuple[ConnectOutcome, ...]


class TcpSweep(Frozen):
    """A paced sweep over all TCP ports of one address: one SYN a port, again to those that stayed silent."""

    kind: Literal["tcp-sweep"] = "tcp-sweep"
    seed: int
    """Of the order of the ports."""
    ports_total: int
    """Ports that were to be asked; those that the scope excludes are not among them."""
    asked: PortSet
    accepted: PortSet
    """Accepted at least once."""
    reset: PortSet
    icmp: tuple[SweepIcmp, ...] = ()
    astray: PortSet
    """Ports whose last answer was an ICMP error about the way there, and not about the port."""
    silent: PortSet
    """Silent each time."""
    late: int = 0
    """Ports that accepted or reset, but not at their first SYN: a measure of loss."""
    passes: int
    """How many SYNs each silent port got at least."""
    syns: int
    guide_port: int | None = None
    """A port that had answered before, asked once a second during the sweep; None: none had."""
    guides: int = 0
    """Single SYNs to it."""
    guides_lost: int = 0
    """Those that were not answered as before."""
    canaries: tuple[SweepCanary, ...] = ()
    stopped: Literal["", "everything-answers", "guide-lost", "budget"] = ""
    waited_s: float = 0.0


class TcpReply(Frozen):
    """With which hop limit the resets of a port arrive: it tells whether the server sends them."""

    kind: Literal["tcp-reply"] = "tcp-reply"
    port: int
    hop_limit: int | None = None
    """TTL or hop limit as it arrives; None when it could not be pinned down."""
    connects: int = 0
