"""Everything that goes to and comes from the addresses in scope, as the kernel saw it: a packet socket, both ways."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_ETH_P_ALL: Final = 0x0003
_ETH_P_IP: Final = 0x0800
_ETH_P_IPV6: Final = 0x86DD
"""linux/if_ether.h."""
_PACKET_OUTGOING: Final = 4
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
"""linux/if_packet.h."""
_ARPHRD_LOOPBACK: Final = 772
"""linux/if_arp.h."""
_SO_TIMESTAMPNS: Final = 35
"""asm-generic/socket.h."""
_TIMESPEC: Final = struct.Struct("@ll")
_RECEIVE_BUFFER_BYTES: Final = 8 * 1024 * 1024
_READ_BYTES: Final = 2048
"""More than is kept of any packet; its header tells the length of the whole."""
_PACKETS_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class Sniffed:
    """One packet from its IP header on, cut to 2048 bytes, and when it passed."""

    data: bytes
    at_ns: int
    is_outgoing: bool


class Sniffer:
    """A packet socket of all interfaces. Raises OSError, PermissionError without CAP_NET_RAW."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._lost = 0

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def drain(self) -> Iterator[Sniffed]:
        """What has arrived, at most some hundred packets at a time."""
        for _ in range(_PACKETS_AT_ONCE):
            try:
                data, ancillary, _, place = self._socket.recvmsg(_READ_BYTES, 64)
            except BlockingIOError:
                return
            except OSError:  # an interface went down (ENETDOWN); the others go on
                continue
            _, protocol, direction, hardware, *_ = place
            is_outgoing = direction == _PACKET_OUTGOING
            if protocol not in (_ETH_P_IP, _ETH_P_IPV6) or (is_outgoing and hardware == _ARPHRD_LOOPBACK):
                continue  # on loopback each packet passes twice
            yield Sniffed(data, _moment(ancillary), is_outgoing)

    def lost(self) -> int:
        """Packets that the kernel dropped because nobody took them in time, since the beginning."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._lost += struct.unpack("@II", statistics)[1]  # reading sets it back to zero
        return self._lost


def _moment(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 10**9 + int(nanoseconds)
    return time.time_ns()
