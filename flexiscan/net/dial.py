"""Opens TCP connections to exactly one address, and tells a reset, an ICMP error and silence apart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Literal

from flexiscan.net.byte_stream import ByteStream, Ending
from flexiscan.net.error_queue import IS_AVAILABLE, stop_asking
from flexiscan.net.handshake import Accepted, Refused, fate_of, has_met_itself, open_stream
from flexiscan.net.hop_limits import NO_LIMIT, Hops
from flexiscan.net.link import CannotLook, NotConnected, Received, TlsAgreed, TlsFailed
from flexiscan.net.obstacle import obstacle_of
from flexiscan.net.own_prefix import allow_any_source
from flexiscan.net.pace import Pace
from flexiscan.net.readiness import is_ready
from flexiscan.net.syn_fate import stayed_here
from flexiscan.net.tls_layer import TlsLayer
from flexiscan.net.wall import ScopeWall

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
) -> StreamConnection | Refused:
    """One SYN and its repetitions. Raises OSError or CannotLook for what this machine refuses by itself."""
    for _ in range(_MOST_MEETINGS):
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(open_stream(address))
            hops.apply(sock)
            if source is not None:
                allow_any_source(sock)
                sock.bind((source, 0))
            outcome = await _shake_hands(sock, address, port, timeout_s)
            if isinstance(outcome, Refused):
                return outcome
            if not has_met_itself(sock):
                undo.pop_all()
                return StreamConnection(sock, address, broken=outcome.broken)
    return Refused("reset")


async def _shake_hands(sock: socket.socket, address: str, port: int, timeout_s: float) -> Accepted | Refused:
    """Connect, and wait for what becomes of it."""
    ends_at = _now() + timeout_s
    with contextlib.suppress(BlockingIOError):
        sock.connect((address, port))
    while True:
        in_time = await is_ready(sock, "write", timeout_s=ends_at - _now())
        fate = fate_of(sock, address)
        if fate is None and not in_time:
            fate = Refused("silence")
        if isinstance(fate, Refused) and fate.outcome == "silence" and stayed_here(sock):
            raise CannotLook("no-privilege", "the SYN did not leave: this machine's own packet filter drops it")
        if fate is not None:
            return fate


def _now() -> float:
    return asyncio.get_running_loop().time()
