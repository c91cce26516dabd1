"""The DNS probe over real sockets against scripted name servers on loopback, both families."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rrset
import pytest

from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.plan import Task
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall, open_dns_server
from flexiscan_probes import dns as probe
from flexiscan_probes import dns_exchange

HOST = "flexi.example.test"
NAME = HOST + "."
EACH = pytest.mark.parametrize(
    "address",
    ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here"))],
)

Answers = Callable[[bytes], Iterable[bytes]]


def answer(query: bytes, *, truncated: bool = False) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    if truncated:
        response.flags |= dns.flags.TC
    else:
        response.answer.append(dns.rrset.from_text(NAME, 300, "IN", "A", "192.0.2.10"))
    return response.to_wire()


def other_id(query: bytes) -> bytes:
    wire = answer(query)
    return bytes([wire[0] ^ 0xFF]) + wire[1:]


def other_question(query: bytes) -> bytes:
    asked = dns.message.make_query("other.example.test", "A", id=int.from_bytes(query[:2], "big"))
    return answer(asked.to_wire())


@dataclass(slots=True)
class NameServer(asyncio.DatagramProtocol):
    """Answers each query over UDP with `datagrams`, each connection with `stream`, byte for byte."""

    datagrams: Answers
    stream: Answers = lambda _: ()
    stranger: socket.socket | None = None
    """Sends the answers in place of the server."""
    queries: list[bytes] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.queries.append(data)
        for payload in self.datagrams(data):
            if self.stranger is None:
                self.transport.sendto(payload, addr)
            else:
                self.stranger.sendto(payload, addr)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            query = await reader.readexactly(size)
            for part in self.stream(query):
                writer.write(part)
                await writer.drain()
            await reader.read()
        writer.close()


@contextlib.asynccontextmanager
async def served(server: NameServer, address: str, *, stream: bool = True) -> AsyncIterator[int]:
    """The server on a port that is free for both transports."""
    listening = await asyncio.start_server(server.talk, address, 0)
    port = listening.sockets[0].getsockname()[1]
    if not stream:
        listening.close()
        await listening.wait_closed()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, (address, port))
    try:
        yield port
    finally:
        transport.close()
        listening.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_exchange, "UDP_TRIES_S", (0.1, 0.2))
    monkeypatch.setattr(dns_exchange, "TCP_TIMEOUT_S", 0.3)


async def ask(address: str, port: int) -> DnsReply:
    clock = Clock()
    pace = Pace(Rates(udp_pps=2000), clock)
    context = TaskContext(
        run_id="test",
        user_agent="FlexiScan/test",
        random=random.Random(1),
        clock=clock,
        pace=pace,
        wall=ScopeWall(open_dns_server(address, port=port), clock=clock),
        host=HOST,
    )
    task = Task(
        id="A",
        probe="dns.lookup",
        host=HOST,
        role="address",
        params={"server": f"{address}#{port}", "name": NAME, "rdtype": "A"},
        lane="dns",
    )
    try:
        return await probe.observe(context, task)
    finally:
        await pace.aclose()


@EACH
async def test_an_answer(address: str):
    server = NameServer(lambda q: [answer(q)])
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.transport, fact.rcode, fact.tries) == ("answer", "udp", "NOERROR", 1)
    assert [one.data for one in fact.records] == ["192.0.2.10"]
    assert fact.server == f"{address}#{port}"


@EACH
async def test_noise_before_the_answer(address: str):
    server = NameServer(
        lambda q: [other_id(q), other_question(q), b"x", b"\x00" * 500, q[:2] + b"\xff" * 60, answer(q)]
    )
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.discarded, fact.tries) == ("answer", 5, 1)


@EACH
async def test_garbage_alone(address: str):
    server = NameServer(lambda q: [q[:2] + b"\xff" * 60])
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.discarded, fact.tries) == ("malformed", 2, 2)


@EACH
async def test_a_stranger_on_another_port(address: str):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))
        server = NameServer(lambda q: [answer(q)], stranger=stranger)
        async with served(server, address) as port:
            fact = await ask(address, port)
    assert (fact.outcome, fact.discarded, fact.records) == ("timeout", 2, ())


async def test_a_stranger_at_another_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        server = NameServer(lambda q: [answer(q)], stranger=stranger)
        async with served(server, "127.0.0.1") as port:
            stranger.bind(("127.0.0.2", port))
            fact = await ask("127.0.0.1", port)
    assert (fact.outcome, fact.discarded) == ("timeout", 2)


@EACH
async def test_silence(address: str):
    server = NameServer(lambda _: [])
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.tries, fact.discarded) == ("timeout", 2, 0)
    assert len(server.queries) == 2
    assert server.queries[0] == server.queries[1]


@EACH
async def test_a_closed_port(address: str):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    fact = await ask(address, port)
    assert (fact.outcome, fact.tries) == ("port-closed", 1)
    assert fact.elapsed_ms < 100


@EACH
async def test_truncation_leads_to_tcp(address: str):
    server = NameServer(
        lambda q: [answer(q, truncated=True)],
        lambda q: [len(answer(q)).to_bytes(2, "big"), answer(q)[:5], answer(q)[5:]],
    )
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.transport, fact.tries) == ("answer", "tcp", 2)
    assert [one.data for one in fact.records] == ["192.0.2.10"]


@EACH
async def test_truncation_without_tcp(address: str):
    server = NameServer(lambda q: [answer(q, truncated=True)])
    async with served(server, address, stream=False) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.transport, fact.records) == ("port-closed", "tcp", ())


@EACH
async def test_a_stream_of_64_kb(address: str):
    server = NameServer(lambda q: [answer(q, truncated=True)], lambda q: [b"\xff\xff" + q[:2] + b"\xc0\x0c" * 32766])
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.transport) == ("malformed", "tcp")
    assert fact.elapsed_ms < 250


@EACH
async def test_a_stream_that_stalls(address: str):
    server = NameServer(lambda q: [answer(q, truncated=True)], lambda _: [b"\x00\x20", b"\x00"])
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.transport) == ("timeout", "tcp")


@EACH
async def test_a_flood_does_not_keep_the_process_busy(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dns_exchange, "MAX_DISCARDED", 50)
    server = NameServer(lambda q: [other_id(q)] * 200)
    async with served(server, address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.discarded, fact.tries) == ("timeout", 50, 1)
