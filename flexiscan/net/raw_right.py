"""Whether this process may open raw sockets: asked of the system, and nothing is sent."""

from __future__ import annotations

import socket


def try_raw_socket() -> None:
    """Open a raw socket and close it at once. Raises PermissionError without the right, OSError for the rest."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
