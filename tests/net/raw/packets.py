"""Packets made by hand, for tests of what reads them."""

from __future__ import annotations

import ipaddress
import struct

US, THEM, ROUTER = "192.0.2.2", "198.51.100.2", "192.0.2.1"
US6, THEM6, ROUTER6 = "2001:db8:1::2", "2001:db8:2::2", "2001:db8:1::1"
REMOTE = frozenset({THEM, THEM6})
MEDIA = b"\x80\x08\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03" + b"what somebody said" * 9
"""An RTP packet: twelve bytes of header, then voice."""


def ip(
    source: str, destination: str, protocol: int, payload: bytes, *, hop_limit: int = 61, fragment: int = 0
) -> bytes:
    ends = [ipaddress.ip_address(text).packed for text in (source, destination)]
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hop_limit) + ends[0] + ends[1] + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 4711, fragment, hop_limit, protocol, 0)
    return head + ends[0] + ends[1] + payload


def udp(source: str, source_port: int, destination: str, port: int, payload: bytes, **more: int) -> bytes:
    datagram = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    return ip(source, destination, 17, datagram, **more)


def tcp(
    source: str,
    source_port: int,
    destination: str,
    port: int,
    *,
    flags: int,
    sequence: int = 0,
    acknowledges: int = 0,
    options: bytes = b"",
    hop_limit: int = 61,
) -> bytes:
    offset = (20 + len(options)) // 4 << 4
    head = struct.pack("!HHIIBBHHH", source_port, port, sequence, acknowledges, offset, flags, 8192, 0, 0)
    return ip(source, destination, 6, head + options, hop_limit=hop_limit)


def icmp(source: str, destination: str, icmp_type: int, code: int, quoted: bytes) -> bytes:
    message = struct.pack("!BBHI", icmp_type, code, 0, 0) + quoted
    return ip(source, destination, 58 if ":" in source else 1, message, hop_limit=63)
