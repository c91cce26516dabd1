"""One question to one name server: over UDP, twice if need be, and over TCP when the answer did not fit."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

from flexiscan.model.facts_dns import DnsReply
from flexiscan.sdk import Connection, Context, Datagram, DatagramPort, IcmpNotice, NotConnected, Refusal
from flexiscan_probes.wire.dns_message import (
    MAX_MESSAGE_BYTES,
    DecodedReply,
    DnsWireError,
    Question,
    decode_reply,
    encode_query,
)

UDP_TRIES_S = (2.0, 4.0)
"""How long each try listens. A cold cache may need seconds; the second try hears late answers too."""

TCP_TIMEOUT_S = 4.0
"""For the connect, and again for question and answer together."""

MAX_DISCARDED = 2000
"""A flood of datagrams that are not the answer ends the question: it must not keep the process busy."""

LENGTH_BYTES = 2  # RFC 1035 4.2.2

Outcome = Literal["answer", "timeout", "port-closed", "malformed", "closed"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where a name server listens."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}#{self.port}"


@dataclass(slots=True)
class _Tally:
    """What was counted while waiting."""

    tries: int = 0
    discarded: int = 0
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class _Heard:
    """How the wait ended."""

    outcome: Outcome
    reply: DecodedReply | None = None


@dataclass(slots=True)
class DnsExchange:
    """One question put to one server. `run` gives the fact; it raises CannotLook for what is local."""

    context: Context
    server: Server
    question: Question
    message_id: int
    tally: _Tally = field(default_factory=_Tally)

    async def run(self) -> DnsReply:
        """Ask over UDP, then over TCP when the answer was cut."""
        started_s = self.context.monotonic()
        transport: Literal["udp", "tcp"] = "udp"
        heard = await self._ask_over_udp()
        if heard.reply is not None and heard.reply.truncated:
            transport = "tcp"
            heard = await self._ask_over_tcp()
        reply = heard.reply
        return DnsReply(
            name=self.question.name,
            rdtype=self.question.rdtype,
            server=str(self.server),
            transport=transport,
            outcome=heard.outcome,
            tries=self.tally.tries,
            rcode=None if reply is None else reply.rcode,
            flags=() if reply is None else reply.flags,
            records=() if reply is None else reply.records,
            authority=() if reply is None else reply.authority,
            extended_errors=() if reply is None else reply.extended_errors,
            discarded=self.tally.discarded,
            elapsed_ms=round((self.context.monotonic() - started_s) * 1000, 3),
        )

    async def _ask_over_udp(self) -> _Heard:
        edns = True
        heard = _Heard("timeout")
        async with self.context.datagrams(self.server.address) as port:
            for listen_s in UDP_TRIES_S:
                self.tally.tries += 1
                query = encode_query(self.question, self.message_id, edns=edns)
                await port.send(query, port=self.server.port)
                heard = await self._listen(port, listen_s)
                if heard.reply is not None and heard.reply.refuses_edns and edns:
                    edns = False  # RFC 6891 7: such a server is asked again without
                    continue
                if heard.outcome != "timeout" or self.tally.discarded >= MAX_DISCARDED:
                    break
        return self._silence() if heard.outcome == "timeout" else heard

    async def _listen(self, port: DatagramPort, listen_s: float) -> _Heard:
        ends_s = self.context.monotonic() + listen_s
        while self.tally.discarded < MAX_DISCARDED:
            remaining_s = ends_s - self.context.monotonic()
            event = await port.next(timeout_s=remaining_s) if remaining_s > 0 else None
            if event is None:
                break
            if isinstance(event, Refusal):
                if event.to_port == self.server.port and event.is_port:
                    return _Heard("port-closed")
                continue
            if isinstance(event, IcmpNotice):
                if event.to_port == self.server.port and event.icmp.meaning == "port-unreachable":
                    return _Heard("port-closed")
                continue
            reply = self._read(event)
            if reply is not None:
                return _Heard("answer", reply)
        return _Heard("timeout")

    def _read(self, datagram: Datagram) -> DecodedReply | None:
        """The reply in a datagram; None when it is none, which is counted."""
        if not self._is_from_server(datagram):
            self.tally.discarded += 1
            return None
        try:
            return decode_reply(datagram.data, self.question, self.message_id)
        except DnsWireError as error:
            self.tally.discarded += 1
            self.tally.unreadable |= error.reason == "unreadable"
            return None

    def _is_from_server(self, datagram: Datagram) -> bool:
        same_address = ipaddress.ip_address(datagram.from_address) == ipaddress.ip_address(self.server.address)
        return same_address and datagram.from_port == self.server.port

    def _silence(self) -> _Heard:
        return _Heard("malformed" if self.tally.unreadable else "timeout")

    async def _ask_over_tcp(self) -> _Heard:
        self.tally.tries += 1
        opened = await self.context.connect(self.server.address, self.server.port, timeout_s=TCP_TIMEOUT_S)
        if isinstance(opened, NotConnected):
            return _Heard("port-closed" if opened.outcome in ("reset", "refused") else "timeout")
        async with opened as connection:
            ends_s = self.context.monotonic() + TCP_TIMEOUT_S
            query = encode_query(self.question, self.message_id)
            framed = len(query).to_bytes(LENGTH_BYTES, "big") + query
            failed = await connection.send(framed, timeout_s=max(ends_s - self.context.monotonic(), 0.0))
            if failed:
                return _Heard("timeout" if failed == "timeout" else "closed")
            return await self._read_stream(connection, ends_s)

    async def _read_stream(self, connection: Connection, ends_s: float) -> _Heard:
        length = await self._read_exactly(connection, LENGTH_BYTES, ends_s)
        if isinstance(length, str):
            return _Heard(length)
        size = int.from_bytes(length, "big")
        if size > MAX_MESSAGE_BYTES:
            return self._unreadable()
        body = await self._read_exactly(connection, size, ends_s)
        if isinstance(body, str):
            return _Heard(body)
        try:
            reply = decode_reply(body, self.question, self.message_id)
        except DnsWireError:
            return self._unreadable()
        return self._unreadable() if reply.truncated else _Heard("answer", reply)

    def _unreadable(self) -> _Heard:
        self.tally.discarded += 1
        return _Heard("malformed")

    async def _read_exactly(
        self, connection: Connection, size: int, ends_s: float
    ) -> bytes | Literal["timeout", "closed"]:
        """So many bytes, or how the stream ended before."""
        collected = b""
        while len(collected) < size:
            remaining_s = ends_s - self.context.monotonic()
            if remaining_s <= 0:
                return "timeout"
            received = await connection.receive(max_bytes=size - len(collected), timeout_s=remaining_s)
            if received.ending:
                return "timeout" if received.ending == "timeout" else "closed"
            collected += received.data
        return collected
