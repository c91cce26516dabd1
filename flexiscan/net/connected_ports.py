"""UDP to one address where the system has no error queue: a connected socket for every port that is asked.

A connected socket is told that a datagram was refused, though not by whom; an unconnected one, on most systems, is
told nothing. But a connected one hears its own port of the peer alone, and some services answer from another (TFTP):
so all share one local port with a socket that hears everybody else. On Windows, where sharing a port is
indeterminate, an unconnected socket for every port does both (SO_EXCLUSIVEADDRUSE, SIO_UDP_CONNRESET in Winsock).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys
from collections import OrderedDict, deque
from typing import Final

from flexiscan.net.clock import Clock
from flexiscan.net.link import CannotLook, Datagram, Refusal
from flexiscan.net.obstacle import obstacle_of
from flexiscan.net.pace import Pace
from flexiscan.net.reach import source_address
from flexiscan.net.socket_family import socket_family
from flexiscan.net.wall import ScopeWall

MAX_OPEN: Final = 64
"""Connected sockets at once; the oldest is closed first. Some systems allow a process 256 descriptors."""
MAX_WAITING_EVENTS: Final = 10_000
_SHARES_PORT: Final = sys.platform != "win32"
_SEND_TRIES: Final = 5
_MAX_DATAGRAM_BYTES: Final = 65535
_REFUSED: Final = (errno.ECONNREFUSED, errno.ECONNRESET)
"""Port unreachable; Windows says the second (WSAECONNRESET)."""


class ConnectedPorts:
    """Sockets to one address only. Implements the probe contract's DatagramPort; ICMP errors are Refusals."""

    icmp_visible = False

    def __init__(self, address: str, aside: range, *, pace: Pace, wall: ScopeWall, clock: Clock) -> None:
        source = source_address(address)
        if source is None:
            raise CannotLook("no-route", f"no route or no source address towards {address}")
        self.address = address
        self._source = source
        self._pace, self._wall, self._clock = pace, wall, clock
        self._loop = asyncio.get_running_loop()
        self._events: deque[Datagram | Refusal] = deque()
        self._arrived = asyncio.Event()
        self._open: OrderedDict[int, socket.socket] = OrderedDict()
        self._listener: socket.socket | None = None
        if _SHARES_PORT:
            self._listener = self._bound([0] if source != address else aside)
            self._listen(self._listener, None)

    async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None) -> None:
        """Wait for the pace, then send one datagram. Raises CannotLook when the scope or this machine refuses."""
        if hop_limit is not None or source is not None:
            raise CannotLook("no-privilege", "hop limits and sources of single datagrams need Linux")
        permit = await self._pace.datagram(self.address)
        try:
            self._wall.check(self.address, port, "udp")
            self._send_now(payload, port)
        except OSError as error:
            raise obstacle_of(error, self.address) from error
        finally:
            permit.spend()

    def _send_now(self, payload: bytes, port: int) -> None:
        sock = self._socket_for(port)
        for tries_left in reversed(range(_SEND_TRIES)):
            self._note(port, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            try:
                if _SHARES_PORT:
                    sock.send(payload)
                else:
                    sock.sendto(payload, (self.address, port))
            except OSError as error:
                if error.errno not in _REFUSED or tries_left == 0:
                    raise
                self._note(port, error.errno)
            else:
                return

    def _socket_for(self, port: int) -> socket.socket:
        known = self._open.get(port)
        if known is not None:
            return known
        if len(self._open) >= MAX_OPEN:
            _, oldest = self._open.popitem(last=False)
            self._drop(oldest)
        if self._listener is None:
            sock = self._bound([0])
        else:
            sock = self._bound([self._listener.getsockname()[1]])
            sock.connect((self.address, port))
        self._open[port] = sock
        self._listen(sock, port)
        return sock

    def _bound(self, local_ports: range | list[int]) -> socket.socket:
        """A socket on the first of the local ports that is free. Raises CannotLook."""
        failure: OSError | None = None
        try:
            sock = socket.socket(socket_family(self.address), socket.SOCK_DGRAM)
        except OSError as error:
            raise obstacle_of(error, self.address) from error
        sock.setblocking(False)
        for local in local_ports:
            try:
                if local and self._listener is not None:
                    _share(sock)
                sock.bind((self._source, local))
                _share(sock)
            except OSError as error:
                failure = error
            else:
                return sock
        sock.close()
        raise obstacle_of(failure or OSError(errno.EADDRINUSE, "no local port"), self.address)

    def _listen(self, sock: socket.socket, port: int | None) -> None:
        self._loop.add_reader(sock, self._drain, sock, port)

    def _drain(self, sock: socket.socket, port: int | None) -> None:
        """Take what has arrived at one socket; `port`: the one that it asks."""
        while len(self._events) < MAX_WAITING_EVENTS:
            try:
                data, sender = sock.recvfrom(_MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._note(port, error.errno)
                break
            address = str(sender[0]).partition("%")[0]
            self._events.append(Datagram(self._clock.monotonic(), address, int(sender[1]), data))
        if self._events:
            self._arrived.set()

    def _note(self, port: int | None, number: int | None) -> None:
        if port is None or not number:
            return
        self._events.append(Refusal(self._clock.monotonic(), port, number in _REFUSED, os.strerror(number)))
        self._arrived.set()

    async def next(self, *, timeout_s: float) -> Datagram | Refusal | None:
        """The next event; None when nothing came in time."""
        if not self._events:
            self._arrived.clear()
            for port, sock in list(self._open.items()):
                self._drain(sock, port)
            if self._listener is not None:
                self._drain(self._listener, None)
            if not self._events and timeout_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(timeout_s):
                        while not self._events:
                            self._arrived.clear()  # left set by an event that somebody else took, it would never wait
                            await self._arrived.wait()
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Close all sockets; calling it again does nothing."""
        for sock in self._open.values():
            self._drop(sock)
        self._open.clear()
        if self._listener is not None:
            self._drop(self._listener)
            self._listener = None

    def _drop(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock)
        sock.close()

    async def __aenter__(self) -> ConnectedPorts:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def _share(sock: socket.socket) -> None:
    """Let sockets of ours stand on one local port: Linux wants the one option, BSD the other."""
    if sys.platform == "linux":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
