"""How far a TCP connection's packets may travel, and how near its peer must be.

Both need no privilege. Numbers are from linux/in.h and linux/in6.h; Python names few of them.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from flexiscan.net.error_queue import IS_AVAILABLE
from flexiscan.net.link import CannotLook

_IP_TTL = 2
_IP_MINTTL = 21
_IPV6_UNICAST_HOPS = 16
_IPV6_MINHOPCOUNT = 73


@dataclass(frozen=True, slots=True)
class Hops:
    """`limit`: the TTL or hop limit of every packet sent. `least_in_reply`: what arrives with less is dropped."""

    limit: int | None = None
    least_in_reply: int | None = None

    def apply(self, sock: socket.socket) -> None:
        """Set both on a socket that has sent nothing yet. Raises CannotLook where the system cannot do that."""
        if self == NO_LIMIT:
            return
        if not IS_AVAILABLE:
            raise CannotLook("no-privilege", "hop limits of single connections need Linux")
        ipv6 = sock.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if ipv6 else socket.IPPROTO_IP
        if self.limit is not None:
            sock.setsockopt(level, _IPV6_UNICAST_HOPS if ipv6 else _IP_TTL, self.limit)
        if self.least_in_reply is not None:
            sock.setsockopt(level, _IPV6_MINHOPCOUNT if ipv6 else _IP_MINTTL, self.least_in_reply)


NO_LIMIT: Final = Hops()
