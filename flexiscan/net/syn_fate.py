"""Whether a SYN that nobody answered left this machine at all.

The kernel hides from a pending connect that the machine's own packet filter drops its SYNs: it goes on repeating and
the connect ends in silence, like behind a drop rule in front of the target. Its bookkeeping tells the difference: a
repetition that could not be handed on is counted in tcpi_total_retrans and not in tcpi_retrans (tcp_retransmit_skb()
in net/ipv4/tcp_output.c; struct tcp_info in linux/tcp.h).
"""

from __future__ import annotations

import socket
import struct

from flexiscan.net.error_queue import IS_AVAILABLE

_TCP_INFO = 11
"""linux/tcp.h"""
_RETRANS_AT = 36
_TOTAL_RETRANS_AT = 100
_SIZE = 104
_COUNTER = struct.Struct("=I")


def stayed_here(sock: socket.socket) -> bool:
    """True when the latest repetition of the SYN did not leave. False also when that cannot be known."""
    if not IS_AVAILABLE:
        return False
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:
        return False
    if len(info) < _SIZE:
        return False
    (under_way,) = _COUNTER.unpack_from(info, _RETRANS_AT)
    (repeated,) = _COUNTER.unpack_from(info, _TOTAL_RETRANS_AT)
    return bool(repeated > 0 and under_way == 0)
