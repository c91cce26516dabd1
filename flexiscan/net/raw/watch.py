"""What is done with each packet that passes: is it of the scan, does it answer a SYN, is it an ICMP error to count?

Only packets of which the scan is part are looked at: to or from an address in scope, and ICMP errors that quote one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from flexiscan.model.facts_raw import (
    MAX_ICMP_NOTES,
    IcmpCapture,
    IcmpNote,
    PacketCapture,
    QuotedPacket,
    SynAnswer,
)
from flexiscan.model.icmp import IcmpError
from flexiscan.net.raw.half_open import HalfOpen, error_of, quoted_of
from flexiscan.net.raw.keep import SNAP_BYTES, kept_bytes
from flexiscan.net.raw.packet import Head, NoPacket, Quote, read_head, read_ports, read_quote
from flexiscan.net.raw.pcap import CaptureFile
from flexiscan.net.raw.sniffer import Sniffed
from flexiscan.net.wall import ScopeWall
from flexiscan.net.wall_address import read_literal

_Alike = tuple[int, int, str, int | None, str, int | None]


@dataclass(slots=True)
class _Errors:
    """The ICMP errors about one address."""

    first: dict[_Alike, tuple[IcmpError, QuotedPacket]] = field(default_factory=dict)
    count: dict[_Alike, int] = field(default_factory=dict)
    left_out: int = 0

    def add(self, error: IcmpError, quoted: QuotedPacket) -> None:
        """Count it with those that are alike: type, sender, distance, and port that it speaks of."""
        port = quoted.port
        key = (error.icmp_type, error.code, error.offender, error.hop_limit, quoted.transport, port)
        if key not in self.first and len(self.first) >= MAX_ICMP_NOTES:
            self.left_out += 1
            return
        self.first.setdefault(key, (error, quoted))
        self.count[key] = self.count.get(key, 0) + 1


@dataclass(slots=True)
class Watch:
    """The addresses in scope, the capture, and the ICMP errors so far."""

    places: Mapping[str, frozenset[int] | None] = field(default_factory=dict)
    """Addresses with the ports that are watched there; None: all. Of a name server it is its DNS port alone: the same
    machine may be the router of the house."""
    file: CaptureFile | None = None
    name: str = ""
    left_out: int = 0
    _errors: dict[str, _Errors] = field(default_factory=dict)

    def look_at(self, wall: ScopeWall) -> None:
        """Watch every single address that the wall has an opening for (networks of any size are not watched)."""
        places: dict[str, frozenset[int] | None] = {}
        for opening in wall.openings:
            network = ipaddress.ip_network(opening.network)
            if network.num_addresses > 1:
                continue
            address = str(network.network_address)
            known = places.get(address, frozenset())
            places[address] = None if known is None or opening.ports is None else known | set(opening.ports)
        self.places = places

    def open(self, descriptor: int, name: str, max_bytes: int) -> None:
        """Write packets to an open file from now on. Raises OSError."""
        self.file, self.name = CaptureFile(descriptor, SNAP_BYTES, max_bytes), name
        self.file.begin()

    def take(self, sniffed: Sniffed, half_open: HalfOpen) -> tuple[int, SynAnswer] | None:
        """Keep and count one packet; the probe that it answers, if any."""
        packet = sniffed.data
        try:
            head = read_head(packet)
        except NoPacket:
            return None
        packet = packet[: head.length_bytes or None]  # short frames are padded
        quote = read_quote(packet, head)
        if not self._is_of_the_scan(packet, head, quote):
            return None
        self._keep(packet, head, sniffed.at_ns)
        if sniffed.is_outgoing:
            return None
        if quote is None:
            return half_open.take_segment(packet, head, sniffed.at_ns)
        if quote.inner.destination in self.places:
            errors = self._errors.setdefault(quote.inner.destination, _Errors())
            errors.add(error_of(head, quote), quoted_of(packet, quote))
        return half_open.take_error(head, quote, packet, sniffed.at_ns)

    def errors_about(self, address: str) -> IcmpCapture:
        """The ICMP errors about packets to an address, in order of their first arrival."""
        literal = read_literal(address)
        errors = self._errors.get(str(literal), _Errors())
        notes = tuple(
            IcmpNote(icmp=error, quoted=quoted, count=errors.count[key])
            for key, (error, quoted) in errors.first.items()
        )
        return IcmpCapture(notes=notes, left_out=errors.left_out)

    def close(self, lost: int) -> PacketCapture:
        """What the capture holds at its end."""
        file = self.file
        if file is None:
            return PacketCapture(file="", lost=lost, left_out=self.left_out)
        return PacketCapture(
            file=self.name,
            packets=file.packets,
            size_bytes=file.size_bytes,
            lost=lost,
            left_out=self.left_out,
            is_capped=file.is_capped,
            is_whole=not file.has_failed,
        )

    def _is_of_the_scan(self, packet: bytes, head: Head, quote: Quote | None) -> bool:
        if self._is_watched(packet, head):
            return True
        return quote is not None and self._is_watched(packet[quote.inner_offset :], quote.inner)

    def _is_watched(self, packet: bytes, head: Head) -> bool:
        ports = read_ports(packet, head) or (None, None)
        for address, port in zip((head.source, head.destination), ports, strict=True):
            watched = self.places.get(address, frozenset())
            if watched is None or port in watched:
                return True
        return False

    def _keep(self, packet: bytes, head: Head, at_ns: int) -> None:
        if self.file is None:
            return
        kept = packet[: kept_bytes(packet, head, self.places)]
        length_bytes = max(len(packet), head.length_bytes)
        self.left_out += not self.file.add(kept, at_ns=at_ns, length_bytes=length_bytes)
