"""Bytes over one connected nonblocking TCP socket, with FIN, reset and silence told apart."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from typing import Literal

from flexiscan.net.link import Received
from flexiscan.net.obstacle import obstacle_of
from flexiscan.net.readiness import is_ready

Ending = Literal["", "closed", "reset", "timeout"]

_ABORT = struct.pack("ii", 1, 0)
"""struct linger, on and 0 s: close() sends a reset and keeps no port in TIME_WAIT (socket(7))."""
_LOST = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)
"""The kernel gave up repeating (tcp(7)): nothing came in time."""


class ByteStream:
    """Sends and receives; every wait has a limit."""

    def __init__(self, sock: socket.socket, peer: str, *, broken: Literal["", "closed", "reset"] = "") -> None:
        """`broken` is how the stream ended already, where the system has told that before and will not again."""
        self._sock = sock
        self._peer = peer
        self._broken = broken

    async def send(self, data: bytes, *, timeout_s: float) -> Ending:
        """Send everything. Raises CannotLook for what this machine itself refuses."""
        ends_at = _now() + timeout_s
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                if not await is_ready(self._sock, "write", timeout_s=ends_at - _now()):
                    return "timeout"
            except OSError as error:
                return self._ending_of(error)
        return ""

    async def receive(self, *, max_bytes: int, timeout_s: float) -> Received:
        """The next bytes or an ending. Raises CannotLook for what this machine itself refuses."""
        ends_at = _now() + timeout_s
        is_last_look = False
        while True:
            try:
                data = self._sock.recv(max_bytes)
            except BlockingIOError:
                if is_last_look:
                    return Received("timeout")
            except OSError as error:
                return Received(self._ending_of(error))
            else:
                return Received("", data) if data else Received(self._broken or "closed")
            is_last_look = not await is_ready(self._sock, "read", timeout_s=ends_at - _now())

    def close(self) -> None:
        """Drop the connection at once; what was not sent yet is lost."""
        abort(self._sock)

    def _ending_of(self, error: OSError) -> Literal["closed", "reset", "timeout"]:
        if error.errno == errno.ECONNRESET:
            return "reset"
        if error.errno == errno.EPIPE:
            return self._broken or "closed"  # the peer had closed before it reset (tcp_reset() in CLOSE_WAIT)
        if error.errno in _LOST:
            return "timeout"
        raise obstacle_of(error, self._peer) from error


def abort(sock: socket.socket) -> None:
    """Close with a reset, keeping no port in TIME_WAIT."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    sock.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
