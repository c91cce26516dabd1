"""Capture files: written packet by packet, each whole or not at all; a torn end can be taken off again.

The nanosecond variant of pcap with bare IP packets, which tcpdump, tshark and scapy read
(https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, https://www.tcpdump.org/linktypes.html).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINKTYPE_RAW: Final = 101
_MAGIC: Final = 0xA1B23C4D
_FILE_HEADER: Final = struct.Struct("<IHHiIII")
_RECORD_HEADER: Final = struct.Struct("<IIII")
_SECOND_NS: Final = 10**9


@dataclass(slots=True)
class CaptureFile:
    """Appends packets to an open descriptor until `max_bytes` is reached."""

    descriptor: int
    snap_bytes: int
    max_bytes: int
    packets: int = 0
    size_bytes: int = 0
    is_capped: bool = False
    has_failed: bool = False
    """A packet could not be written, for example because the disk is full."""

    def begin(self) -> None:
        """Write the file's header. Raises OSError."""
        self._write(_FILE_HEADER.pack(_MAGIC, 2, 4, 0, 0, self.snap_bytes, LINKTYPE_RAW))

    def add(self, packet: bytes, *, at_ns: int, length_bytes: int) -> bool:
        """Append the kept part of a packet of `length_bytes`; False when it was not written.

        After the first packet that does not fit or cannot be written nothing more is: the file has one end.
        """
        record = _RECORD_HEADER.pack(*divmod(at_ns, _SECOND_NS), len(packet), length_bytes) + packet
        if self.is_capped or self.has_failed or self.size_bytes + len(record) > self.max_bytes:
            self.is_capped = not self.has_failed
            return False
        try:
            self._write(record)
        except OSError:
            self.has_failed = True
            return False
        self.packets += 1
        return True

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self.descriptor, data[written:])
        except OSError:
            os.ftruncate(self.descriptor, self.size_bytes)
            raise
        self.size_bytes += len(data)


def take_off_torn_end(path: Path) -> tuple[int, int]:
    """Cut a capture file behind its last whole packet; packets and bytes that are left. Raises OSError."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        whole, packets = _FILE_HEADER.size, 0
        while True:
            file.seek(whole)
            header = file.read(_RECORD_HEADER.size)
            if len(header) < _RECORD_HEADER.size:
                break
            end = whole + _RECORD_HEADER.size + _RECORD_HEADER.unpack(header)[2]
            if end > size:
                break
            whole, packets = end, packets + 1
        file.truncate(min(whole, size))
        return packets, min(whole, size)
