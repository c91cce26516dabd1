"""An in-memory twin of the network for probes: scripted servers on a virtual clock. Nothing is really sent."""

from __future__ import annotations

import heapq
import itertools
import random
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts_raw import IcmpCapture, SynProbe
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import (
    NO_LIMIT,
    Datagram,
    Hops,
    IcmpNotice,
    KnockPort,
    NotConnected,
    Received,
    Refusal,
    TlsAgreed,
    TlsFailed,
)

Answer = tuple[float, "Datagram | IcmpNotice | Refusal"]
"""Seconds after the datagram was sent, and what arrives then (its at_s is set on arrival)."""
Network = Callable[[bytes, int, float], Iterable[Answer]]
"""What the network does with a payload to a port at a time."""
Talk = Callable[[bytes], Iterable[tuple[float, Received]]]
"""What a server says: called with b"" on accept and with every request."""


class VirtualClock:
    def __init__(self) -> None:
        self.now_s = 1000.0


def port_unreachable(address: str, port: int, *, offender: str | None = None, quoted: bytes = b"") -> IcmpNotice:
    return icmp_notice(address, port, (3, 3) if ":" not in address else (1, 4), offender=offender, quoted=quoted)


def prohibited(address: str, port: int, *, offender: str | None = None) -> IcmpNotice:
    return icmp_notice(address, port, (3, 13) if ":" not in address else (1, 1), offender=offender)


def icmp_notice(
    address: str, port: int, numbers: tuple[int, int], *, offender: str | None = None, quoted: bytes = b""
) -> IcmpNotice:
    icmp = IcmpError(family=family_of(address), icmp_type=numbers[0], code=numbers[1], offender=offender or address)
    return IcmpNotice(at_s=0.0, to_port=port, icmp=icmp, quoted=quoted)


def refusal(port: int, *, is_port: bool = True) -> Refusal:
    return Refusal(at_s=0.0, to_port=port, is_port=is_port, detail="refused")


def datagram(address: str, port: int, data: bytes) -> Datagram:
    return Datagram(at_s=0.0, from_address=address, from_port=port, data=data)


class TwinDatagramPort:
    """Answers come from a `Network`; `next` moves the clock to the next event or to its end of patience."""

    icmp_visible = True

    def __init__(self, address: str, clock: VirtualClock, network: Network, pps: float = 200.0) -> None:
        self.address = address
        self.sent: list[tuple[float, int, bytes]] = []
        self.hop_limits: list[int | None] = []
        self.sources: list[str | None] = []
        self.closed = False
        self._clock = clock
        self._network = network
        self._pause_s = 1.0 / pps
        self._coming: list[tuple[float, int, Datagram | IcmpNotice | Refusal]] = []
        self._number = itertools.count()

    async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None) -> None:
        assert not self.closed
        self._clock.now_s += self._pause_s
        self.sent.append((self._clock.now_s, port, payload))
        self.hop_limits.append(hop_limit)
        self.sources.append(source)
        for delay_s, event in self._network(payload, port, self._clock.now_s):
            heapq.heappush(self._coming, (self._clock.now_s + delay_s, next(self._number), event))

    async def next(self, *, timeout_s: float) -> Datagram | IcmpNotice | Refusal | None:
        assert not self.closed
        ends_s = self._clock.now_s + timeout_s
        if not self._coming or self._coming[0][0] > ends_s:
            self._clock.now_s = ends_s
            return None
        at_s, _, event = heapq.heappop(self._coming)
        self._clock.now_s = max(self._clock.now_s, at_s)
        return replace(event, at_s=self._clock.now_s)

    def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> TwinDatagramPort:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def ports_asked(self) -> list[int]:
        return [port for _, port, _ in self.sent]


class TwinConnection:
    """A connection to a scripted server."""

    attempts = 1
    connect_s = 0.01

    def __init__(self, clock: VirtualClock, talk: Talk, send_ending: Literal["", "closed", "reset"] = "") -> None:
        self.sent: list[bytes] = []
        self.closed = False
        self._clock = clock
        self._talk = talk
        self._send_ending = send_ending
        self._coming: list[tuple[float, Received]] = []
        self._queue(b"")

    def _queue(self, heard: bytes) -> None:
        at_s = self._clock.now_s
        for delay_s, received in self._talk(heard):
            at_s += delay_s
            self._coming.append((at_s, received))

    async def send(self, data: bytes, *, timeout_s: float) -> Literal["", "closed", "reset", "timeout"]:
        self.sent.append(data)
        if not self._send_ending:
            self._queue(data)
        return self._send_ending

    async def receive(self, *, max_bytes: int, timeout_s: float) -> Received:
        ends_s = self._clock.now_s + timeout_s
        if not self._coming or self._coming[0][0] > ends_s:
            self._clock.now_s = ends_s
            return Received("timeout")
        at_s, received = self._coming.pop(0)
        self._clock.now_s = max(self._clock.now_s, at_s)
        if len(received.data) > max_bytes:
            self._coming.insert(0, (at_s, Received(received.ending, received.data[max_bytes:])))
            return Received("", received.data[:max_bytes])
        return received

    async def start_tls(
        self, context: ssl.SSLContext, *, server_name: str | None, timeout_s: float
    ) -> TlsAgreed | TlsFailed:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> TwinConnection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class TwinContext:
    """A context whose network is scripted."""

    run_id = "twin"
    user_agent = "FlexiScan/test"

    def __init__(
        self,
        *,
        network: Network = lambda *_: (),
        link: TwinConnection | NotConnected | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.random = random.Random(7)
        self.secrets: dict[str, str] = {}
        self.clock = clock or VirtualClock()
        self.links = [link] if link is not None else []
        self.connects: list[tuple[str, int, float, int]] = []
        self.ports: list[TwinDatagramPort] = []
        self._network = network

    def monotonic(self) -> float:
        return self.clock.now_s

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> TwinConnection | NotConnected:
        self.connects.append((address, port, timeout_s, attempts))
        return self.links.pop(0)

    def datagrams(self, address: str) -> TwinDatagramPort:
        self.ports.append(TwinDatagramPort(address, self.clock, self._network))
        return self.ports[-1]

    async def half_open(self, address: str, port: int) -> SynProbe:
        raise NotImplementedError

    async def icmp_errors(self, address: str) -> IcmpCapture:
        raise NotImplementedError

    def knocks(self, address: str) -> KnockPort:
        raise NotImplementedError

    async def ask_worker(self, module: str, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        raise NotImplementedError
