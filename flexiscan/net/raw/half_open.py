"""SYNs without a connection: what is under way, and which packet answers it.

The source port is held by a socket that is bound and never listens: the kernel gives it to nobody else, and answers a
SYN-ACK with a reset by itself, so that nothing stays half open at the server.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from flexiscan.model.facts_raw import MAX_ANSWERS, QuotedPacket, SynAnswer
from flexiscan.model.icmp import IcmpError
from flexiscan.model.raw_message import MAX_PROBES
from flexiscan.net.raw.packet import TCP, UDP, Head, Quote, read_ports
from flexiscan.net.raw.segment import read_segment
from flexiscan.net.socket_family import socket_family

_SEQUENCES: Final = 2**32
_TRANSPORTS: Final = {TCP: "tcp", UDP: "udp"}


class MakeSyn(Protocol):
    """Builds the packet."""

    def __call__(
        self, source: str, source_port: int, address: str, port: int, *, sequence: int, ip_id: int, now_ms: int
    ) -> bytes:
        """A whole IP packet."""


class TooMany(OSError):
    """As many SYNs wait for an answer as may."""


@dataclass(slots=True)
class _Waiting:
    """One SYN, sent once or more."""

    id: int
    address: str
    port: int
    source_port: int
    sequence: int
    packet: bytes
    holder: socket.socket
    sent_at_ns: int = 0
    answers: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        return self.address, self.port, self.source_port


@dataclass(slots=True)
class HalfOpen:
    """The SYNs under way. `send` gets a whole packet."""

    make_syn: MakeSyn
    send: Callable[[bytes], None]
    _by_id: dict[int, _Waiting] = field(default_factory=dict)
    _by_key: dict[tuple[str, int, int], _Waiting] = field(default_factory=dict)

    def syn(self, number: int, address: str, port: int) -> None:
        """Send a SYN, or the same again. Raises OSError (ScopeViolation, TooMany), ValueError for a changed order."""
        waiting = self._by_id.get(number)
        if waiting is None:
            waiting = self._prepare(number, address, port)
        elif (waiting.address, waiting.port) != (address, port):
            raise ValueError(f"probe {number} is of another port")
        waiting.sent_at_ns = time.time_ns()
        self.send(waiting.packet)

    def forget(self, number: int) -> None:
        """Give the source port back."""
        waiting = self._by_id.pop(number, None)
        if waiting is not None:
            del self._by_key[waiting.key]
            waiting.holder.close()

    def close(self) -> None:
        """Forget all."""
        for number in list(self._by_id):
            self.forget(number)

    def take_segment(self, packet: bytes, head: Head, at_ns: int) -> tuple[int, SynAnswer] | None:
        """The answer in an incoming TCP packet; None when it answers no SYN of ours."""
        ports = read_ports(packet, head)
        waiting = None if ports is None else self._by_key.get((head.source, ports[0], ports[1]))
        segment = read_segment(packet, head)
        if waiting is None or segment is None or not (segment.is_syn_ack or segment.is_reset):
            return None
        if segment.acknowledges != (waiting.sequence + 1) % _SEQUENCES:
            return None  # whoever has not seen the SYN cannot answer it (RFC 9293 3.10.7.3)
        answer = SynAnswer(
            answer="accepted" if segment.is_syn_ack else "reset",
            hop_limit=head.hop_limit,
            ip_id=head.ip_id,
            window=segment.window,
            options=segment.options,
            after_s=_seconds(waiting, at_ns),
        )
        return self._counted(waiting, answer)

    def take_error(self, head: Head, quote: Quote, packet: bytes, at_ns: int) -> tuple[int, SynAnswer] | None:
        """The answer in an ICMP error; None when it quotes no SYN of ours."""
        ports = read_ports(packet[quote.inner_offset :], quote.inner)
        inner = quote.inner
        waiting = None if ports is None else self._by_key.get((inner.destination, ports[1], ports[0]))
        if waiting is None or inner.protocol != TCP:
            return None
        answer = SynAnswer(
            answer="icmp",
            hop_limit=head.hop_limit,
            ip_id=head.ip_id,
            after_s=_seconds(waiting, at_ns),
            icmp=error_of(head, quote),
            quoted=quoted_of(packet, quote),
        )
        return self._counted(waiting, answer)

    def _counted(self, waiting: _Waiting, answer: SynAnswer) -> tuple[int, SynAnswer] | None:
        waiting.answers += 1
        return (waiting.id, answer) if waiting.answers <= MAX_ANSWERS else None

    def _prepare(self, number: int, address: str, port: int) -> _Waiting:
        if len(self._by_id) >= MAX_PROBES:
            raise TooMany(f"{MAX_PROBES} SYNs are under way")
        source = _source_for(address, port)
        holder = socket.socket(socket_family(address), socket.SOCK_STREAM)
        try:
            holder.bind((source, 0))
            source_port = int(holder.getsockname()[1])
            sequence = secrets.randbelow(_SEQUENCES)
            packet = self.make_syn(
                source,
                source_port,
                address,
                port,
                sequence=sequence,
                ip_id=secrets.randbelow(65535) + 1,
                now_ms=time.monotonic_ns() // 1_000_000,
            )
        except OSError:
            holder.close()
            raise
        waiting = _Waiting(number, address, port, source_port, sequence, packet, holder)
        self._by_id[number] = self._by_key[waiting.key] = waiting
        return waiting


def error_of(head: Head, quote: Quote) -> IcmpError:
    """An ICMP error as a fact."""
    return IcmpError(
        family=head.family,
        icmp_type=quote.icmp_type,
        code=quote.code,
        offender=head.source,
        hop_limit=head.hop_limit,
    )


def quoted_of(packet: bytes, quote: Quote) -> QuotedPacket:
    """What an ICMP error quotes, as a fact."""
    inner = quote.inner
    ports = read_ports(packet[quote.inner_offset :], inner)
    return QuotedPacket.model_validate(
        {
            "transport": _TRANSPORTS.get(inner.protocol, "other"),
            "source_port": None if ports is None else ports[0],
            "port": None if ports is None else ports[1],
            "hop_limit": inner.hop_limit,
            "ip_id": inner.ip_id,
            "length_bytes": inner.length_bytes,
        }
    )


def _seconds(waiting: _Waiting, at_ns: int) -> float:
    return max(0.0, round((at_ns - waiting.sent_at_ns) / 1e9, 6))


def _source_for(address: str, port: int) -> str:
    """The address that packets to `address` leave from; a datagram socket tells without sending."""
    with socket.socket(socket_family(address), socket.SOCK_DGRAM) as asking:
        asking.connect((address, port))
        return str(asking.getsockname()[0])
