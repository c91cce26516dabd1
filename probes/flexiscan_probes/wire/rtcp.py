"""RTP and RTCP headers (RFC 3550): the only datagram of a media sweep, and what came back.

One stray datagram of almost any other content can redirect the live audio of a call to its sender; an empty
receiver report does not. Of what arrives only header fields and sizes are kept, never content. No I/O.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

_RECEIVER_REPORT: Final = 201  # RFC 3550 section 12.1
_FIRST_RTCP_TYPE: Final = 192  # RFC 5761 section 4: 192 to 223 on one port with RTP are RTCP
_LAST_RTCP_TYPE: Final = 223
_VERSION_BITS: Final = 0xC0
_VERSION_2: Final = 0x80
_MIN_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class MediaHeader:
    """Header facts of one media packet; `sequence` is None for RTCP. `size_bytes`: the whole datagram."""

    kind: Literal["rtp", "rtcp"]
    payload_type: int
    ssrc: int
    sequence: int | None
    size_bytes: int


def build_receiver_report(ssrc: int) -> bytes:
    """An empty receiver report, 8 bytes; ValueError unless 0 <= ssrc <= 0xFFFFFFFF."""
    if not 0 <= ssrc <= 0xFFFFFFFF:
        raise ValueError(f"an SSRC has 32 bits, not {ssrc}")
    return struct.pack(">BBHI", _VERSION_2, _RECEIVER_REPORT, 1, ssrc)


def is_media(data: bytes) -> bool:
    """Whether the first byte is that of RTP or RTCP version 2 (0x80 to 0xBF): the sign to stop sending."""
    return bool(data) and data[0] & _VERSION_BITS == _VERSION_2


def read_header(data: bytes) -> MediaHeader | None:
    """The header of an RTP or RTCP packet of version 2, else None. Never raises on any `data`."""
    if len(data) < _MIN_BYTES or not is_media(data):
        return None
    if _FIRST_RTCP_TYPE <= data[1] <= _LAST_RTCP_TYPE:
        return MediaHeader("rtcp", data[1], int.from_bytes(data[4:8], "big"), None, len(data))
    if len(data) < 12:
        return None
    sequence, ssrc = int.from_bytes(data[2:4], "big"), int.from_bytes(data[8:12], "big")
    return MediaHeader("rtp", data[1] & 0x7F, ssrc, sequence, len(data))
