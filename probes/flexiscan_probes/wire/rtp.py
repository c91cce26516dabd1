"""Voice packets (RTP, RFC 3550 5.1): those that the test of an agreed call sends, and the headers of what came back.

Of what arrives only header fields are read, never content. No I/O.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_VERSION_2: Final = 0x80
_PCMU: Final = 0  # RFC 3551 table 4
SAMPLES_PER_PACKET: Final = 160
"""20 ms at 8,000 samples a second (RFC 3551 4.5.14); PCMU has one byte a sample."""
PACKET_S: Final = 0.02
_SILENCE: Final = b"\xff"
"""Zero in PCMU (ITU-T G.711): whoever hears it hears nothing."""
_HEADER: Final = struct.Struct(">BBHII")
_FIRST_RTCP_TYPE: Final = 192  # RFC 5761 section 4: 192 to 223 in the second byte are RTCP
_LAST_RTCP_TYPE: Final = 223
_SEQUENCES: Final = 1 << 16
_LARGEST_STEP: Final = 100
"""More packets lost in a row than this are no loss but another stream (RFC 3550 appendix A.1: MAX_DROPOUT 3000 for
hours of reception; here a second is looked at)."""


@dataclass(frozen=True, slots=True)
class VoiceHeader:
    """Header facts of one RTP packet."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int


def build_silence(number: int, *, first_sequence: int, first_timestamp: int, ssrc: int) -> bytes:
    """The packet `number` (from 0) of a stream of silence: 12 bytes of header and 160 of PCMU.

    ValueError unless number >= 0 and the others fit their fields (16, 32 and 32 bits).
    """
    if number < 0 or not 0 <= first_sequence < _SEQUENCES or not all(0 <= n < 1 << 32 for n in (first_timestamp, ssrc)):
        raise ValueError("a number, a sequence of 16 bits, a timestamp and an SSRC of 32 bits")
    sequence = (first_sequence + number) % _SEQUENCES
    timestamp = (first_timestamp + number * SAMPLES_PER_PACKET) % (1 << 32)
    return _HEADER.pack(_VERSION_2, _PCMU, sequence, timestamp, ssrc) + _SILENCE * SAMPLES_PER_PACKET


def read_voice(data: bytes) -> VoiceHeader | None:
    """The header of an RTP packet of version 2; None for RTCP and anything else. Never raises on any `data`."""
    if len(data) < _HEADER.size:
        return None
    first, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != _VERSION_2 or _FIRST_RTCP_TYPE <= kind <= _LAST_RTCP_TYPE:
        return None
    return VoiceHeader(kind & 0x7F, sequence, timestamp, ssrc)


def is_next(before: int, after: int) -> bool:
    """Whether a sequence number is a little higher than another, counted around the end of its 16 bits."""
    return 1 <= (after - before) % _SEQUENCES <= _LARGEST_STEP
