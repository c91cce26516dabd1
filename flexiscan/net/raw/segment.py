"""Reads TCP segments that may answer a SYN (RFC 9293 3.1, 3.2). No I/O; hostile bytes give less, never an error."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flexiscan.net.raw.packet import TCP, Head

_HEADER_BYTES: Final = 20
_RST: Final = 0x04
_ACK: Final = 0x10
_SYN_ACK: Final = 0x12
_END, _NOP = 0, 1
_WIDE: Final = {2: ("MSS", "!H"), 3: ("WScale", "!B"), 8: ("Timestamp", "!I")}
"""Options whose value is shown: RFC 9293 3.7.1, RFC 7323 2 and 3."""
_SACK_PERMITTED: Final = 4
"""RFC 2018 2."""
_MOST_OPTIONS: Final = 40


@dataclass(frozen=True, slots=True)
class Segment:
    """What matters of a segment."""

    is_syn_ack: bool
    is_reset: bool
    acknowledges: int | None
    """None without the ACK flag."""
    window: int
    options: tuple[str, ...]


def read_segment(packet: bytes, head: Head) -> Segment | None:
    """The TCP segment in a packet; None when there is none, or not all of its fixed header."""
    data = packet[head.upper_offset :]
    if head.protocol != TCP or head.is_later_fragment or len(data) < _HEADER_BYTES:
        return None
    acknowledges, size, flags, window = struct.unpack_from("!IBBH", data, 8)
    return Segment(
        is_syn_ack=flags & (_SYN_ACK | _RST) == _SYN_ACK,
        is_reset=bool(flags & _RST),
        acknowledges=acknowledges if flags & _ACK else None,
        window=window,
        options=tuple(_options(data[_HEADER_BYTES : (size >> 4) * 4])),
    )


def _options(data: bytes) -> Iterator[str]:
    at = 0
    for _ in range(_MOST_OPTIONS):
        if at >= len(data) or data[at] == _END:
            return
        kind = data[at]
        if kind == _NOP:
            yield "NOP"
            at += 1
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2 or at + size > len(data):
            yield "malformed"
            return
        yield _named(kind, data[at + 2 : at + size])
        at += size


def _named(kind: int, value: bytes) -> str:
    name, layout = _WIDE.get(kind, ("", ""))
    if name and len(value) >= struct.calcsize(layout):
        return f"{name}={struct.unpack_from(layout, value)[0]}"
    return "SAckOK" if kind == _SACK_PERMITTED else f"kind {kind}"
