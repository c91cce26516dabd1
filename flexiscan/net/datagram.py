"""UDP to one address, with the ICMP errors that come back, and without any privilege.

The socket is not connected: a connected one hides answers from other addresses and ports, which are evidence. Where
the system has an error queue it is read before everything else, because a queue that is left alone keeps the event
loop spinning, and because an error that is pending makes the next send fail without sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
from collections import deque
from collections.abc import Callable

from flexiscan.net.clock import Clock
from flexiscan.net.connected_ports import ConnectedPorts
from flexiscan.net.error_queue import (
    IS_AVAILABLE,
    QueuedError,
    ask_for_errors,
    drain_errors,
    hop_limit_message,
)
from flexiscan.net.link import CannotLook, Datagram, IcmpNotice
from flexiscan.net.obstacle import obstacle_of, own_refusal
from flexiscan.net.own_prefix import allow_any_source, source_message
from flexiscan.net.pace import Pace
from flexiscan.net.reach import source_address
from flexiscan.net.readiness import is_ready
from flexiscan.net.socket_family import socket_family
from flexiscan.net.wall import ScopeWall

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""The default keeps only 255 queued errors (measured); the system may grant less than asked (socket(7))."""
MAX_DATAGRAM_BYTES = 65535
MAX_WAITING_EVENTS = 10_000
"""Beyond that the kernel's buffer holds what comes, and drops when it is full: a flood must not fill our memory."""
ASIDE_PORTS = range(61000, 65536)
"""Above the dynamic ports of Linux (ip_local_port_range), above the media range, and clear of every known service."""
_SEND_TRIES = 5
"""A send and four repetitions: each may be stopped by one more error about an earlier datagram, unsent."""
_BUFFER_WAIT_S = 2.0
_FULL_BUFFER = (errno.EAGAIN, errno.ENOBUFS)
_SO_RCVBUFFORCE = 33
"""asm-generic/socket.h: beyond the system's limit, for whoever may."""


class UdpPort:
    """One unconnected UDP socket that sends to one address only. Implements the probe contract's DatagramPort.

    Make it with `open_port`, inside a running event loop.
    """

    icmp_visible = True

    def __init__(self, sock: socket.socket, address: str, *, pace: Pace, wall: ScopeWall, clock: Clock) -> None:
        self.address = address
        self._sock = sock
        self._own = {source_address(address)}
        """Our addresses that something was sent from, or may be."""
        self._pace = pace
        self._wall = wall
        self._clock = clock
        self._events: deque[Datagram | IcmpNotice | CannotLook] = deque()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._is_listening = False
        self._has_arrived = _arrival_check(sock)
        self._listen()

    async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None) -> None:
        """Wait for the pace, then send one datagram, with a TTL or hop limit and a source of its own if given.

        `source`: any IPv6 address of a prefix that is routed to this machine (see own_prefix); answers to it arrive
        here as well. Raises CannotLook when the scope or this machine refuses.
        """
        permit = await self._pace.datagram(self.address)
        try:
            self._wall.check(self.address, port, "udp")
            ancillary = self._ancillary(hop_limit, source)
            await self._send_now(payload, port, ancillary)
        except OSError as error:
            raise obstacle_of(error, self.address) from error
        finally:
            permit.spend()

    def _ancillary(self, hop_limit: int | None, source: str | None) -> list[tuple[int, int, bytes]]:
        """What goes beside one datagram, and for it alone."""
        ancillary = [] if hop_limit is None else [hop_limit_message(self._sock.family, hop_limit)]
        if source is not None:
            if len(self._own) == 1:
                allow_any_source(self._sock)
            self._own.add(source)
            ancillary.append(source_message(source))
        return ancillary

    async def _send_now(self, payload: bytes, port: int, ancillary: list[tuple[int, int, bytes]]) -> None:
        for tries_left in reversed(range(_SEND_TRIES)):
            self._clear_pending_error()
            try:
                self._put(payload, port, ancillary)
            except OSError as error:
                if tries_left == 0 or error.errno == errno.EPERM:  # no ICMP error ever reads EPERM: it is ours
                    raise
                if error.errno in _FULL_BUFFER:
                    await is_ready(self._sock, "write", timeout_s=_BUFFER_WAIT_S)
            else:
                return

    def _put(self, payload: bytes, port: int, ancillary: list[tuple[int, int, bytes]]) -> None:
        if ancillary:
            self._sock.sendmsg([payload], ancillary, 0, (self.address, port))
        else:
            self._sock.sendto(payload, (self.address, port))

    async def next(self, *, timeout_s: float) -> Datagram | IcmpNotice | None:
        """The next event in the order in which the system told of them; None when nothing came in time.

        Raises CannotLook when this machine itself, and nobody on the way, refused a datagram.
        """
        if not self._events:
            self._arrived.clear()
            if self._has_arrived():
                self._drain()
            if not self._events and timeout_s <= 0:
                return None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    while not self._events:
                        self._arrived.clear()  # left set by an event that somebody else took, it would never wait
                        await self._arrived.wait()
        if not self._events:
            return None
        event = self._events.popleft()
        self._listen()
        if isinstance(event, CannotLook):
            raise event
        return event

    def close(self) -> None:
        """Close the socket; calling it again does nothing."""
        self._stop_listening()
        self._sock.close()

    def _listen(self) -> None:
        if not self._is_listening and len(self._events) < MAX_WAITING_EVENTS:
            self._loop.add_reader(self._sock, self._drain)
            self._is_listening = True

    def _stop_listening(self) -> None:
        if self._is_listening:
            self._loop.remove_reader(self._sock)
            self._is_listening = False

    def _drain(self) -> None:
        """Take what has arrived, errors first."""
        for queued in drain_errors(self._sock):
            self._note_error(queued)
        with contextlib.suppress(OSError):  # nothing more is here, or an error that the queue has told of already
            while len(self._events) < MAX_WAITING_EVENTS:
                data, sender = self._sock.recvfrom(MAX_DATAGRAM_BYTES)
                address = str(sender[0]).partition("%")[0]
                self._events.append(Datagram(self._clock.monotonic(), address, int(sender[1]), data))
        if len(self._events) >= MAX_WAITING_EVENTS:
            self._stop_listening()
        if self._events:
            self._arrived.set()

    def _note_error(self, queued: QueuedError) -> None:
        obstacle = own_refusal(queued.icmp, self.address, self._own)
        notice = IcmpNotice(self._clock.monotonic(), queued.to_port, queued.icmp, queued.quoted)
        self._events.append(obstacle or notice)

    def _clear_pending_error(self) -> None:
        """An error about an earlier datagram would be raised by the next send, which then sends nothing."""
        self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    async def __aenter__(self) -> UdpPort:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def open_port(address: str, *, pace: Pace, wall: ScopeWall, clock: Clock) -> UdpPort | ConnectedPorts:
    """A socket for datagrams to one literal address. Raises CannotLook where there is no way to it at all."""
    if not IS_AVAILABLE:
        return ConnectedPorts(address, ASIDE_PORTS, pace=pace, wall=wall, clock=clock)
    return open_with_queue(address, pace=pace, wall=wall, clock=clock)


def open_with_queue(address: str, *, pace: Pace, wall: ScopeWall, clock: Clock) -> UdpPort:
    """The same where the system has an error queue."""
    source = source_address(address)
    if source is None:
        raise CannotLook("no-route", f"no route or no source address towards {address}")
    try:
        sock = socket.socket(socket_family(address), socket.SOCK_DGRAM)
    except OSError as error:
        raise obstacle_of(error, address) from error
    sock.setblocking(False)
    _enlarge_receive_buffer(sock)
    if source == address:
        _bind_aside(sock, address)
    ask_for_errors(sock)
    return UdpPort(sock, address, pace=pace, wall=wall, clock=clock)


def _arrival_check(sock: socket.socket) -> Callable[[], bool]:
    """One system call that tells whether there is an answer or an error to read; reading in vain takes two."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: True
    poll = select.poll()
    poll.register(sock, select.POLLIN)  # errors are always told of (poll(2))
    return lambda: bool(poll.poll(0))


def _enlarge_receive_buffer(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)


def _bind_aside(sock: socket.socket, address: str) -> None:
    """When this machine looks at itself: take a port that no probe asks, or the socket could answer itself."""
    for port in ASIDE_PORTS:
        with contextlib.suppress(OSError):
            sock.bind((address, port))
            return
