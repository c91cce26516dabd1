"""Opens TCP connections to exactly one address, and tells a reset, an ICMP error and silence apart.

Linux reports a reset and an ICMP "port unreachable" with the same error number. Only the error queue of the socket
tells them apart: it is empty after a reset, and names type, code and sender of an ICMP error.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from flexiscan.model.icmp import IcmpError
from flexiscan.net.byte_stream import ByteStream, Ending
from flexiscan.net.error_queue import IS_AVAILABLE, ask_for_errors, drain_errors, stop_asking
from flexiscan.net.hop_limits import NO_LIMIT, Hops
from flexiscan.net.link import CannotLook, NotConnected, Received, TlsAgreed, TlsFailed
from flexiscan.net.obstacle import obstacle_of, own_refusal
from flexiscan.net.own_prefix import allow_any_source
from flexiscan.net.pace import Pace
from flexiscan.net.readiness import is_ready
from flexiscan.net.socket_family import socket_family
from flexiscan.net.syn_fate import stayed_here
from flexiscan.net.tls_layer import TlsLayer
from flexiscan.net.wall import ScopeWall

_UNREACHABLE = (
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EOPNOTSUPP,
    errno.EPROTO,
)
"""What an ICMP error makes of a pending connect (icmp_err_convert in Linux, net/ipv4/icmp.c and net/ipv6/icmp.c)."""
_AFTER_ACCEPTING: dict[int, Literal["closed", "reset"]] = {errno.ECONNRESET: "reset", errno.EPIPE: "closed"}
"""A reset after the handshake, without and with a FIN before it (tcp_reset() in Linux): so it had been accepted."""
_MOST_MEETINGS = 3
"""How often a socket may meet itself before the port counts as one where nobody listens."""


class StreamConnection:
    """One accepted TCP connection, in clear until `start_tls` agreed. Implements the probe contract's Connection."""

    def __init__(self, sock: socket.socket, address: str, *, broken: Literal["", "closed", "reset"] = "") -> None:
        self.attempts = 1
        self.connect_s = 0.0
        if IS_AVAILABLE:
            stop_asking(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = ByteStream(sock, address, broken=broken)
        self._tls: TlsLayer | None = None

    async def send(self, data: bytes, *, timeout_s: float) -> Ending:
        """Send everything; "" or how it failed."""
        return await (self._tls or self._stream).send(data, timeout_s=timeout_s)

    async def receive(self, *, max_bytes: int, timeout_s: float) -> Received:
        """The next bytes (at most max_bytes), or "closed" (FIN), "reset", "timeout"."""
        return await (self._tls or self._stream).receive(max_bytes=max_bytes, timeout_s=timeout_s)

    async def start_tls(
        self, context: ssl.SSLContext, *, server_name: str | None, timeout_s: float
    ) -> TlsAgreed | TlsFailed:
        """Put TLS over the connection. After TlsFailed the connection is of no more use."""
        layer = TlsLayer(self._stream, context, server_name)
        outcome = await layer.agree(timeout_s=timeout_s)
        if isinstance(outcome, TlsAgreed):
            self._tls = layer
        return outcome

    def close(self) -> None:
        """Drop the connection at once, with a reset; calling it again does nothing."""
        self._stream.close()

    async def __aenter__(self) -> StreamConnection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Refused:
    """One attempt that brought no connection."""

    outcome: Literal["reset", "icmp", "silence"]
    icmp: IcmpError | None = None


async def connect(
    address: str,
    port: int,
    *,
    timeout_s: float = 4.5,
    attempts: int = 1,
    hops: Hops = NO_LIMIT,
    source: str | None = None,
    pace: Pace,
    wall: ScopeWall,
) -> StreamConnection | NotConnected:
    """Connect to a literal address; after silence, try again up to `attempts` times in all.

    4.5 s cover the kernel's repetitions of the SYN at 1, 2, 3 and 4 s (tcp_syn_linear_timeouts, Linux 6.5). `source`:
    any IPv6 address of a prefix that is routed to this machine (see own_prefix). The times in the outcome do not
    count the wait for the pace. Raises CannotLook when this machine, its routes or the scope stop the packet,
    ValueError when the address is no literal.
    """
    waited_s = 0.0
    attempt = 0
    while True:
        attempt += 1
        try:
            async with pace.syn(address):
                wall.check(address, port, "tcp")
                began = _now()
                outcome = await _attempt(address, port, timeout_s, hops, source)
        except OSError as error:
            raise obstacle_of(error, address) from error
        waited_s += _now() - began
        if isinstance(outcome, StreamConnection):
            outcome.attempts, outcome.connect_s = attempt, _now() - began
            return outcome
        if outcome.outcome != "silence" or attempt >= attempts:
            return NotConnected(outcome.outcome, outcome.icmp, attempt, waited_s)


async def _attempt(
    address: str, port: int, timeout_s: float, hops: Hops, source: str | None
) -> StreamConnection | _Refused:
    """One SYN and its repetitions. Raises OSError or CannotLook for what this machine refuses by itself."""
    for _ in range(_MOST_MEETINGS):
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(_open_socket(address))
            hops.apply(sock)
            if source is not None:
                allow_any_source(sock)
                sock.bind((source, 0))
            outcome = await _shake_hands(sock, address, port, timeout_s)
            if isinstance(outcome, _Refused):
                return outcome
            if not _has_met_itself(sock):
                undo.pop_all()
                return StreamConnection(sock, address, broken=outcome)
    return _Refused("reset")


def _open_socket(address: str) -> socket.socket:
    sock = socket.socket(socket_family(address), socket.SOCK_STREAM)
    sock.setblocking(False)
    if IS_AVAILABLE:
        ask_for_errors(sock)
    return sock


async def _shake_hands(
    sock: socket.socket, address: str, port: int, timeout_s: float
) -> Literal["", "closed", "reset"] | _Refused:
    """Connect. The text says whether the peer has closed or reset the accepted connection meanwhile."""
    ends_at = _now() + timeout_s
    with contextlib.suppress(BlockingIOError):
        sock.connect((address, port))
    while True:
        in_time = await is_ready(sock, "write", timeout_s=ends_at - _now())
        if _is_connected(sock):
            return ""
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number in _AFTER_ACCEPTING:
            return _AFTER_ACCEPTING[number]
        refused = _refusal(sock, address, number)
        if refused is None and not in_time:
            refused = _Refused("silence")
        if refused is not None and refused.outcome == "silence" and stayed_here(sock):
            raise CannotLook("no-privilege", "the SYN did not leave: this machine's own packet filter drops it")
        if refused is not None:
            return refused


def _refusal(sock: socket.socket, address: str, number: int) -> _Refused | None:
    """What the error number and the error queue say; None while they say nothing about the connect."""
    errors = drain_errors(sock) if IS_AVAILABLE else []
    if errors:
        obstacle = own_refusal(errors[0].icmp, address, (sock.getsockname()[0],))
        if obstacle is not None:
            raise obstacle
        return _Refused("icmp", errors[0].icmp)
    if number == errno.ECONNREFUSED:
        return _Refused("reset")
    if number == errno.ETIMEDOUT:
        return _Refused("silence")
    if number in _UNREACHABLE:
        return _Refused("icmp")
    if number:
        raise OSError(number, os.strerror(number))
    return None


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _has_met_itself(sock: socket.socket) -> bool:
    """Whether the socket was given the very port it connects to, and answered itself (RFC 9293 3.5)."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # it was reset in this very moment; the next read tells
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()
