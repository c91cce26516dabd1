"""Sockets on loopback that tell whether anything arrived."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ear:
    """A TCP listener and a UDP socket on the same port of one address."""

    address: str
    port: int
    tcp: socket.socket
    udp: socket.socket

    def heard(self) -> list[str]:
        """What has arrived since the last look. Loopback delivers before the sender's call returns."""
        found = []
        with contextlib.suppress(BlockingIOError):
            connection, _ = self.tcp.accept()
            connection.close()
            found.append("tcp")
        with contextlib.suppress(BlockingIOError):
            self.udp.recvfrom(2048)
            found.append("udp")
        return found


@contextlib.contextmanager
def ear(address: str) -> Iterator[Ear]:
    """Listen on a free port of a loopback address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
        port = int(tcp.getsockname()[1])
        udp.bind((address, port))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield Ear(address, port, tcp, udp)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as taken:
        return int(taken.getsockname()[1])
