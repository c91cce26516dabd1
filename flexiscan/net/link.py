"""What the network gives to a probe: connections and datagram ports, as values and protocols.

Implementations: flexiscan.net.dial and flexiscan.net.datagram. In tests an in-memory twin takes their place.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal, Protocol

from flexiscan.model.failure import FailureKind
from flexiscan.model.icmp import IcmpError


class CannotLook(Exception):
    """Something here stops us from looking. The task boundary, and only it, turns this into a Failure."""

    def __init__(self, reason: FailureKind, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason: FailureKind = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NotConnected:
    """The target (or something on the way) did not accept the connection."""

    outcome: Literal["reset", "icmp", "silence", "refused"]
    """"refused": a reset or an ICMP error, which this system does not tell apart."""
    icmp: IcmpError | None
    attempts: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes, or how the stream ended, or that nothing came in time."""

    ending: Literal["", "closed", "reset", "timeout"]
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class TlsFailed:
    """TLS was not agreed. `alert` is the name that the TLS library gives to an alert that was received."""

    outcome: Literal["alert", "closed", "reset", "timeout", "not-tls", "failed"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TlsAgreed:
    """TLS was agreed over the connection."""

    version: str
    cipher: str
    alpn: str | None
    chain_der: tuple[bytes, ...]
    """As sent by the server; only the leaf where the platform gives no more."""


class Connection(Protocol):
    """One accepted TCP connection. Close it with `async with` or `close()`; closing never waits."""

    attempts: int
    connect_s: float

    async def send(self, data: bytes, *, timeout_s: float) -> Literal["", "closed", "reset", "timeout"]:
        """Send everything; returns "" or how it failed."""

    async def receive(self, *, max_bytes: int, timeout_s: float) -> Received:
        """The next bytes (at most max_bytes), an ending, or "timeout"."""

    async def start_tls(
        self, context: ssl.SSLContext, *, server_name: str | None, timeout_s: float
    ) -> TlsAgreed | TlsFailed:
        """Put TLS over the connection; later `send` and `receive` carry plain text."""

    def close(self) -> None:
        """Drop the connection at once."""

    async def __aenter__(self) -> Connection: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Datagram:
    """An inbound datagram."""

    at_s: float
    """Monotonic seconds."""
    from_address: str
    from_port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class IcmpNotice:
    """An ICMP error about a datagram of ours, from the error queue."""

    at_s: float
    to_port: int
    icmp: IcmpError
    quoted: bytes
    """What the error quoted of our payload (routers may quote as little as nothing)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error about a datagram of ours, from a system that does not tell who sent it."""

    at_s: float
    to_port: int
    is_port: bool
    """Port unreachable; False: another error."""
    detail: str


class DatagramPort(Protocol):
    """One unconnected UDP socket bound to one address of the target: it can send nowhere else."""

    address: str
    icmp_visible: bool
    """False where the system does not tell ICMP errors apart: the verdict is then limited."""

    async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None) -> None:
        """Wait for the pace, then send one datagram. Raises CannotLook when the system refuses for good.

        `source`: an address of the prefix that the run may send from; answers to it arrive here as well.
        """

    async def next(self, *, timeout_s: float) -> Datagram | IcmpNotice | Refusal | None:
        """The next event, or None when nothing came in time."""

    def close(self) -> None:
        """Close the socket."""

    async def __aenter__(self) -> DatagramPort: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Knock:
    """What became of one SYN."""

    port: int
    outcome: Literal["accepted", "reset", "icmp", "silence", "refused"]
    icmp: IcmpError | None
    waited_s: float


class KnockPort(Protocol):
    """Single SYNs to ports of one address, many side by side; each is given up before it would be repeated."""

    address: str
    syns: int
    """SYNs sent."""

    async def send(self, port: int) -> None:
        """Wait for the pace, then send one SYN. Raises CannotLook when the scope or this machine refuses."""

    def take(self) -> list[Knock]:
        """What has become of SYNs since the last call; silence too. Raises CannotLook as `send` does."""

    async def settle(self) -> None:
        """Wait until every SYN is answered or given up."""

    def close(self) -> None:
        """Drop everything that is under way."""

    async def __aenter__(self) -> KnockPort: ...

    async def __aexit__(self, *_: object) -> None: ...
