"""Reads the heads of IP packets as they come from a packet socket. No I/O; bytes that are no packet raise NoPacket.

RFC 791, RFC 8200 (extension headers 4.3 to 4.6), RFC 792, RFC 4443.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final, Literal

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
ICMPV6: Final = 58

_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
_UPPER_HEADERS: Final = (0, 43, 60)
"""Hop-by-hop options, routing, destination options: length in units of eight bytes after the first eight."""
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_MOST_EXTENSIONS: Final = 8
_ICMP_HEADER: Final = 8
_V4_ERRORS: Final = (3, 4, 5, 11, 12)
"""RFC 792: the messages that quote the packet that caused them."""
_V6_ERRORS: Final = range(128)
"""RFC 4443 2.1: the high bit tells errors from other messages."""


class NoPacket(ValueError):
    """Bytes that are no IP packet, or cut before its upper header."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of one IP packet."""

    family: Literal["ipv4", "ipv6"]
    source: str
    destination: str
    protocol: int
    """The upper protocol, extension headers skipped."""
    hop_limit: int
    ip_id: int | None
    """None in IPv6."""
    length_bytes: int
    """The whole packet, as its header says."""
    upper_offset: int
    """Where the upper header begins."""
    is_later_fragment: bool = False
    """A fragment other than the first: it has no upper header."""


@dataclass(frozen=True, slots=True)
class Quote:
    """An ICMP error and the head of the packet that it quotes."""

    icmp_type: int
    code: int
    inner: Head
    inner_offset: int
    """Where the quoted packet begins in the packet around it."""


def read_head(packet: bytes) -> Head:
    """The head of a packet. Raises NoPacket."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _read_ipv4(packet)
    if version == 6:
        return _read_ipv6(packet)
    raise NoPacket(f"version {version}")


def read_ports(packet: bytes, head: Head) -> tuple[int, int] | None:
    """Source and destination port; None where there are none."""
    at = head.upper_offset
    if head.protocol not in (TCP, UDP) or head.is_later_fragment or len(packet) < at + 4:
        return None
    source, destination = struct.unpack_from("!HH", packet, at)
    return source, destination


def read_quote(packet: bytes, head: Head) -> Quote | None:
    """What an ICMP error quotes; None when the packet is no ICMP error or quotes no packet."""
    at = head.upper_offset
    is_icmp = head.protocol == (ICMP if head.family == "ipv4" else ICMPV6)
    if not is_icmp or head.is_later_fragment or len(packet) < at + _ICMP_HEADER:
        return None
    icmp_type, code = packet[at], packet[at + 1]
    if icmp_type not in (_V4_ERRORS if head.family == "ipv4" else _V6_ERRORS):
        return None
    try:
        inner = read_head(packet[at + _ICMP_HEADER :])
    except NoPacket:
        return None
    if inner.family != head.family:
        return None
    return Quote(icmp_type, code, inner, at + _ICMP_HEADER)


def _read_ipv4(packet: bytes) -> Head:
    if len(packet) < _IPV4_HEADER:
        raise NoPacket("cut in the IPv4 header")
    header_bytes = (packet[0] & 0x0F) * 4
    if header_bytes < _IPV4_HEADER or len(packet) < header_bytes:
        raise NoPacket(f"an IPv4 header of {header_bytes} bytes")
    length, ip_id, fragment, hop_limit, protocol = struct.unpack_from("!HHHBB", packet, 2)
    return Head(
        family="ipv4",
        source=str(ipaddress.IPv4Address(packet[12:16])),
        destination=str(ipaddress.IPv4Address(packet[16:20])),
        protocol=protocol,
        hop_limit=hop_limit,
        ip_id=ip_id,
        length_bytes=length,
        upper_offset=header_bytes,
        is_later_fragment=bool(fragment & 0x1FFF),
    )


def _read_ipv6(packet: bytes) -> Head:
    if len(packet) < _IPV6_HEADER:
        raise NoPacket("cut in the IPv6 header")
    length, protocol, hop_limit = struct.unpack_from("!HBB", packet, 4)
    protocol, offset, is_later = _skip_extensions(packet, protocol)
    return Head(
        family="ipv6",
        source=str(ipaddress.IPv6Address(packet[8:24])),
        destination=str(ipaddress.IPv6Address(packet[24:40])),
        protocol=protocol,
        hop_limit=hop_limit,
        ip_id=None,
        length_bytes=length + _IPV6_HEADER,
        upper_offset=offset,
        is_later_fragment=is_later,
    )


def _skip_extensions(packet: bytes, protocol: int) -> tuple[int, int, bool]:
    """Upper protocol, where it begins, and whether this is a later fragment."""
    offset = _IPV6_HEADER
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in (*_UPPER_HEADERS, _FRAGMENT, _AUTHENTICATION):
            return protocol, offset, False
        if len(packet) < offset + 8:
            raise NoPacket("cut in an extension header")
        following, size = packet[offset], packet[offset + 1]
        if protocol == _FRAGMENT:
            if struct.unpack_from("!H", packet, offset + 2)[0] & 0xFFF8:
                return following, offset + 8, True
            offset += 8
        else:
            offset += (size + 2) * 4 if protocol == _AUTHENTICATION else (size + 1) * 8
        protocol = following
    raise NoPacket("too many extension headers")
