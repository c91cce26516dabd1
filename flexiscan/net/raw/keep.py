"""How much of a packet may be written into the capture: never what people say to each other. Pure.

The scan is about a telephone server. Voice that reaches us, whoever sent it and whatever for, is cut behind its RTP
header (DESIGN, manners: counts, never payload), in both directions: a telephone on the scanner's own machine may be
in a call with the server.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from flexiscan.net.raw.packet import ICMP, ICMPV6, TCP, UDP, Head, read_ports, read_quote

SNAP_BYTES: Final = 512
"""Enough for headers and the beginning of an answer (as much as port facts keep)."""
RTP_HEADER: Final = 12
"""RFC 3550 5.1, without contributing sources."""
_UDP_HEADER: Final = 8
_ICMP_HEADER: Final = 8
_RTP_VERSION: Final = 0x80
_VERSION_BITS: Final = 0xC0
_MEDIA_PORTS: Final = range(40000, 50001)
"""Guide, technical overview: RTP. There no first byte is trusted to say that it is no voice."""
_DNS_PORT: Final = 53
"""Random ids make one DNS message in four look like RTP."""


def kept_bytes(packet: bytes, head: Head, remote: Container[str]) -> int:
    """How many bytes of the packet, counted from its start, may be kept. `remote`: the addresses in scope."""
    return min(len(packet), SNAP_BYTES, _allowed(packet, head, remote))


def _allowed(packet: bytes, head: Head, remote: Container[str]) -> int:
    if head.is_later_fragment:
        return head.upper_offset
    if head.protocol == UDP:
        return head.upper_offset + _UDP_HEADER + _allowed_payload(packet, head, remote)
    if head.protocol in (ICMP, ICMPV6):
        quote = read_quote(packet, head)
        if quote is None:
            return head.upper_offset + _ICMP_HEADER
        inner = packet[quote.inner_offset :]
        return quote.inner_offset + _allowed(inner, quote.inner, remote)
    return len(packet) if head.protocol == TCP else head.upper_offset


def _allowed_payload(packet: bytes, head: Head, remote: Container[str]) -> int:
    at = head.upper_offset + _UDP_HEADER
    ports = read_ports(packet, head)
    if ports is None or len(packet) <= at:
        return 0
    theirs = [
        port for port, address in zip(ports, (head.source, head.destination), strict=True) if address in remote
    ] or ports
    looks_like_media = packet[at] & _VERSION_BITS == _RTP_VERSION and _DNS_PORT not in theirs
    if looks_like_media or any(port in _MEDIA_PORTS for port in theirs):
        return RTP_HEADER
    return len(packet)
