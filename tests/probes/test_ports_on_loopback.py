"""The port probes over real sockets against servers on loopback, both families; port numbers from the system."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook
from flexiscan_probes import rtp, tcp, udp
from flexiscan_probes.path_trial import REFILL_S
from flexiscan_probes.tcp_conversation import MAX_READ_BYTES
from tests.probes.real_context import context, task

LOOPBACKS = [
    "127.0.0.1",
    pytest.param(
        "::1",
        marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here"),
    ),
]
EACH = pytest.mark.parametrize("address", LOOPBACKS)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]
Reply = Callable[[bytes], list[bytes]]


async def connect(address: str, port: int, question: str) -> TcpExchange:
    async with context(address) as ctx:
        return await tcp.observe(ctx, task(address, "tcp", port, question=question))


async def ask(address: str, port: int, question: str) -> UdpExchange:
    async with context(address) as ctx:
        return await udp.observe(ctx, task(address, "udp", port, question=question))


@contextlib.asynccontextmanager
async def tcp_server(address: str, serve: Serve) -> AsyncIterator[int]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, address, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Answering(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self.heard: list[bytes] = []
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.append(data)
        for answer in self._reply(data):
            self._transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def udp_server(address: str, reply: Reply) -> AsyncIterator[tuple[int, Answering]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Answering(reply), local_addr=(address, 0))
    try:
        yield transport.get_extra_info("sockname")[1], protocol
    finally:
        transport.close()


def unused_port(address: str, kind: socket.SocketKind) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


# --- TCP ---


@EACH
async def test_refused(address: str):
    fact = await connect(address, unused_port(address, socket.SOCK_STREAM), "giop")
    assert (fact.connect, fact.reply, fact.icmp) == ("reset", "not-asked", None)


@EACH
async def test_accepted_and_silent(address: str):
    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(address, mute) as port:
        fact = await connect(address, port, "giop")
    assert (fact.connect, fact.reply, fact.service) == ("accepted", "silence", None)
    assert fact.request_hex.startswith(b"GIOP".hex())
    assert 3.0 <= fact.waited_s < 4.0


@EACH
async def test_reset_after_the_question(address: str):
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with tcp_server(address, rude) as port:
        fact = await connect(address, port, "rdp")
    assert (fact.connect, fact.reply) == ("accepted", "reset")


@EACH
async def test_slow_drip(address: str):
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        while True:
            writer.write(b"x")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await reader.read(1)

    async with tcp_server(address, drip) as port:
        fact = await connect(address, port, "giop")
    assert fact.reply == "data"
    assert fact.waited_s < 4.0
    assert fact.service is None


@EACH
async def test_garbage_and_oversize(address: str):
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        while True:
            writer.write(b"\xfe" * 65536)
            await writer.drain()

    async with tcp_server(address, flood) as port:
        fact = await connect(address, port, "smb")
    assert (fact.reply, fact.service) == ("data", None)
    assert fact.data_size == MAX_READ_BYTES
    assert len(fact.data_hex) == 1024


@EACH
async def test_banner_and_protocol(address: str):
    async def speak_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        await writer.drain()

    async def locate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(31)
        writer.write(b"GIOP\x01\x00\x00\x04\x00\x00\x00\x08" + request[12:16] + b"\x00\x00\x00\x01")
        await writer.drain()

    async with tcp_server(address, speak_first) as port:
        fact = await connect(address, port, "banner")
    assert (fact.service, fact.request_hex) == ("ssh", "")
    async with tcp_server(address, locate) as port:
        fact = await connect(address, port, "giop")
    assert fact.service == "giop"


# --- UDP ---


@EACH
async def test_udp_refused(address: str):
    fact = await ask(address, unused_port(address, socket.SOCK_DGRAM), "tftp")
    assert fact.reply == "icmp"
    assert fact.icmp is not None
    assert fact.icmp.meaning == "port-unreachable"
    assert fact.icmp.offender == address
    assert fact.tries == 1


@EACH
async def test_udp_silence(address: str):
    async with udp_server(address, lambda _: []) as (port, server):
        fact = await ask(address, port, "snmp")
    assert (fact.reply, fact.tries) == ("silence", 3)
    assert len(server.heard) == 9


@EACH
async def test_udp_garbage(address: str):
    async with udp_server(address, lambda _: [b"\x00\x01nonsense"]) as (port, _):
        fact = await ask(address, port, "tftp")
    assert (fact.reply, fact.service, fact.replied_from_port) == ("data", None, port)


@EACH
async def test_udp_oversize(address: str):
    async with udp_server(address, lambda _: [b"\x01" * 60000]) as (port, _):
        fact = await ask(address, port, "netbios")
    assert fact.data_size == 60000
    assert len(fact.data_hex) == 1024


@EACH
async def test_udp_answer_from_another_port(address: str):
    """TFTP answers from a port of its own (RFC 1350 section 4)."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((address, 0))
        loop = asyncio.get_running_loop()

        class Transfer(Answering):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                other.sendto(b"\x00\x05\x00\x01File not found\x00", addr)

        transport, _ = await loop.create_datagram_endpoint(lambda: Transfer(lambda _: []), local_addr=(address, 0))
        with contextlib.closing(transport):
            fact = await ask(address, transport.get_extra_info("sockname")[1], "tftp")
        assert (fact.service, fact.replied_from_port) == ("tftp", other.getsockname()[1])


@EACH
async def test_udp_protocol_answer(address: str):
    def answer(request: bytes) -> list[bytes]:
        call_id = next(line for line in request.split(b"\r\n") if line.startswith(b"Call-ID"))
        return [b"SIP/2.0 404 Not Here\r\n" + call_id + b"\r\n\r\n"]

    async with udp_server(address, answer) as (port, _):
        fact = await ask(address, port, "sip")
    assert fact.service == "sip"


@EACH
async def test_nothing_leaves_for_an_address_outside_the_scope(address: str):
    other = "::1" if address == "127.0.0.1" else "127.0.0.1"
    async with context(other) as ctx:
        with pytest.raises(CannotLook) as refused:
            await tcp.observe(ctx, task(address, "tcp", 9, question="giop"))
        assert refused.value.reason == "outside-scope"
        with pytest.raises(CannotLook) as refused:
            await udp.observe(ctx, task(address, "udp", 9, question="tftp"))
        assert refused.value.reason == "outside-scope"


# --- the sweep ---


@pytest.fixture(autouse=True)
def _no_refill(monkeypatch: pytest.MonkeyPatch):
    """Loopback has no ICMP limit to wait for."""
    for family in REFILL_S:
        monkeypatch.setitem(REFILL_S, family, 0.0)


def sweep_task(address: str, first: int, last: int) -> Task:
    params = {"first_port": first, "last_port": last, "excluded": [], "taken": [], "sample": 20, "seed": 9}
    return task(address, "udp", None, **params)


@EACH
async def test_sweep_over_a_host_without_a_filter(address: str):
    async with context(address) as ctx:
        fact = await rtp.observe(ctx, sweep_task(address, 42000, 42099))
    assert fact.silent == 0
    assert [(tally.icmp.meaning, tally.icmp.offender) for tally in fact.icmp] == [("port-unreachable", address)]
    assert fact.stopped == "decided"


@EACH
async def test_sweep_stops_at_media(address: str):
    voice = bytes.fromhex("8008000700000050cafebabe") + b"voice of a person"
    async with udp_server(address, lambda _: [voice]) as (port, server), context(address) as ctx:
        fact = await rtp.observe(ctx, sweep_task(address, port, port + 99))
    assert fact.stopped == "media-seen"
    assert [(media.port, media.payload_type) for media in fact.media] == [(port, 8)]
    assert [len(data) for data in server.heard] == [8]
    assert "766f696365" not in fact.model_dump_json()
