"""Servers that are not what they seem, on both families: none of them is taken for the service that was asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import Received
from flexiscan_probes import tcp, tcp_service, udp
from flexiscan_probes.tcp_dialogue import TCP_QUESTIONS
from flexiscan_probes.udp_questions import udp_question_for
from tests.net.tls_server import server_context, serving
from tests.probes.real_context import context
from tests.probes.test_ports_on_loopback import LOOPBACKS, tcp_server
from tests.probes.twin import Talk, TwinConnection, TwinContext, VirtualClock, datagram

ADDRESSES = ("192.0.2.10", "2001:db8:2::10")
EACH = pytest.mark.parametrize("address", ADDRESSES)
TCP_SERVICES = {"giop", "http", "rdp", "sip", "smb", "tds", "tls", "winrm"}
UDP_QUESTIONS = ("sip", "tftp", "snmp", "netbios", "sql-browser", "one-byte", "stun", "canary")
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nServer: proxy\r\nConnection: close\r\n\r\n<html>Bad Request</html>"
STREAM = b"\x00\x01\x02\x03" * 5000


def task(transport: str, address: str, question: str, **params: Any) -> Task:
    return Task(
        id=f"{transport}/{question}",
        probe=transport,
        host="flexi.example.test",
        role=transport,
        address=address,
        transport="tcp" if transport == "tcp" else "udp",
        port=5060,
        params={"question": question, **params},
        lane=transport,
    )


def echo(heard: bytes):
    return [(0.01, Received("", heard))] if heard else []


def echo_in_pieces(heard: bytes):
    return [(0.01, Received("", heard[place : place + 7])) for place in range(0, len(heard), 7)]


def echo_and_more(heard: bytes):
    return [(0.01, Received("", heard + heard + b"\r\n"))] if heard else []


def always(answer: bytes, ending: Any = "closed") -> Talk:
    return lambda heard: [(0.01, Received("", answer)), (0.01, Received(ending))] if heard else []


def drip(heard: bytes):
    return [(0.9, Received("", b"S")) for _ in range(100)] if heard else []


def reset_at_once(heard: bytes):
    return [(0.0, Received("reset"))] if not heard else []


TCP_TRAPS: dict[str, tuple[Talk, str | None]] = {
    "an echo": (echo, None),
    "an echo in pieces": (echo_in_pieces, None),
    "an echo of more than was said": (echo_and_more, None),
    "400 to everything": (always(BAD_REQUEST), "http"),
    "garbage": (always(b"\xde\xad\xbe\xef" * 30), None),
    "an endless stream": (always(STREAM, ""), None),
    "a slow drip": (drip, None),
    "a reset after accepting": (reset_at_once, None),
    "a reset after the question": (always(b"", "reset"), None),
    "somebody else's SIP answer inside a page": (always(b"\r\n\r\nSIP/2.0 200 OK\r\n\r\n"), None),
}


@EACH
@pytest.mark.parametrize("trap", sorted(TCP_TRAPS))
@pytest.mark.parametrize("question", sorted(TCP_QUESTIONS))
async def test_no_trap_is_taken_for_a_tcp_service(question: str, trap: str, address: str):
    talk, speaks = TCP_TRAPS[trap]
    clock = VirtualClock()
    ctx = TwinContext(link=TwinConnection(clock, talk), clock=clock)
    fact = await tcp.observe(ctx, task("tcp", address, question))
    assert fact.connect == "accepted"
    assert fact.service == speaks
    assert clock.now_s < 1000 + 6  # no trap holds the probe


def udp_answer(trap: str, request: bytes) -> list[bytes]:
    return {
        "an echo": [request],
        "an echo of more than was said": [request + request] if len(request) > 1 else [request],
        "garbage": [b"\xde\xad\xbe\xef" * 8],
        "nothing in it": [b""],
        "400 to everything": [BAD_REQUEST],
        "oversize": [b"\x7f" * 60000],
    }[trap]


@EACH
@pytest.mark.parametrize("trap", ["an echo", "an echo of more than was said", "garbage", "nothing in it", "oversize"])
@pytest.mark.parametrize("question", UDP_QUESTIONS)
async def test_no_trap_is_taken_for_a_udp_service(question: str, trap: str, address: str):
    def network(payload: bytes, port: int, _: float):
        return [(0.01, datagram(address, port, data)) for data in udp_answer(trap, payload)]

    fact = await udp.observe(TwinContext(network=network), task("udp", address, question))
    assert (fact.reply, fact.service) == ("data", None)
    assert fact.tries == 1


@EACH
@pytest.mark.parametrize("question", [q for q in UDP_QUESTIONS if q != "canary"])
async def test_a_correct_answer_from_a_foreign_address_confirms_nothing(question: str, address: str):
    """It is kept as evidence that something answered; the port itself was silent."""
    stranger = "203.0.113.7" if "." in address else "2001:db8:f::7"
    ctx = TwinContext(network=lambda payload, port, _: [(0.01, datagram(stranger, port, payload[:1] + b"\x05" * 40))])
    fact = await udp.observe(ctx, task("udp", address, question))
    assert (fact.reply, fact.service, fact.replied_from_port) == ("silence", None, None)
    assert fact.alien_replies >= fact.tries


@EACH
async def test_the_real_answer_is_heard_among_noise(address: str):
    """Garbage from the same address, also from other ports, does not hide the answer that comes after it."""

    def network(payload: bytes, port: int, _: float):
        file_not_found = b"\x00\x05\x00\x01File not found\x00"
        noise = [(0.01, datagram(address, 9, b"noise")), (0.02, datagram(address, port, payload))]
        return [*noise, (0.3, datagram(address, 51999, file_not_found)), (0.4, datagram(address, port, b"late"))]

    fact = await udp.observe(TwinContext(network=network), task("udp", address, "tftp"))
    assert (fact.service, fact.replied_from_port) == ("tftp", 51999)


@EACH
async def test_a_hostile_list_of_databases_is_cut_in_the_fact(address: str):
    listed = b"".join(b"ServerName;EVIL.EXAMPLE;tcp;%d;;" % port for port in (0, 443, 99999, *range(50000, 51000)))
    answer = b"\x05" + len(listed).to_bytes(2, "little") + listed
    ctx = TwinContext(network=lambda _, port, __: [(0.01, datagram(address, port, answer))])
    fact = await udp.observe(ctx, task("udp", address, "sql-browser"))
    assert fact.service == "sql-browser"
    assert fact.tcp_ports[:3] == (443, 50000, 50001)
    assert len(fact.tcp_ports) == 16


# --- the second question over UDP ---


@EACH
@pytest.mark.parametrize(
    ("data", "follows"),
    [
        (b"hello", ["stun"]),
        (b"\x80\x08\x00\x07" + bytes(40), []),  # voice
        (b"\x80", []),  # perhaps voice
        (b"SIP/2.0 200 OK\r\n", []),
        (b"", ["stun"]),
    ],
)
async def test_only_a_stranger_that_is_no_media_port_is_asked_for_stun(address: str, data: bytes, follows: list[str]):
    ctx = TwinContext(network=lambda _, port, __: [(0.01, datagram(address, port, data))])
    work = task("udp", address, "one-byte")
    fact = await udp.observe(ctx, work)
    assert [draft.name for draft in udp.proceed(work, (observed(fact),))] == follows


async def test_silence_is_never_asked_for_stun():
    fact = await udp.observe(TwinContext(), task("udp", ADDRESSES[0], "one-byte"))
    assert list(udp.proceed(task("udp", ADDRESSES[0], "one-byte"), (observed(fact),))) == []


def observed(fact: UdpExchange) -> Observation:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return Observation(id="x", started=moment, ended=moment, outcome=fact)


def test_every_udp_question_of_this_table_exists():
    for question in UDP_QUESTIONS:
        chance = TwinContext().random
        assert udp_question_for(question, address="192.0.2.1", port=5060, user_agent="x", chance=chance).requests


# --- inside TLS, over real sockets ---


async def look_inside(address: str, port: int, question: str) -> TcpExchange:
    async with context(address) as ctx:
        work = task("tcp", address, question, inside_tls=True).model_copy(update={"port": port})
        return await tcp_service.observe(ctx, work)


Answer = Callable[[bytes], bytes]
INSIDE: list[tuple[str, Answer, str | None]] = [
    ("http", lambda _: b"HTTP/1.1 200 OK\r\n\r\n<html><title>Kemp Login Screen</title></html>", "loadmaster"),
    ("http", lambda _: b"HTTP/1.1 404 Not Found\r\n\r\n<html></html>", "http"),
    ("http", lambda request: request, None),
    (
        "sip",
        lambda request: (
            b"SIP/2.0 403 No\r\n" + next(li for li in request.split(b"\r\n") if b"Call-ID" in li) + b"\r\n\r\n"
        ),
        "sip",
    ),
    ("sip", lambda request: request, None),
    (
        "winrm",
        lambda _: b"HTTP/1.1 401 \r\nServer: Microsoft-HTTPAPI/2.0\r\nWWW-Authenticate: Negotiate\r\n\r\n",
        "winrm",
    ),
    ("winrm", lambda _: BAD_REQUEST, "http"),
]


@pytest.mark.parametrize("address", LOOPBACKS)
@pytest.mark.parametrize(("question", "answer", "service"), INSIDE)
async def test_what_speaks_inside_tls(address: str, question: str, answer: Answer, service: str | None):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()
        writer.close()

    async with serving(talk, address=address, context=server_context()) as port:
        fact = await look_inside(address, port, question)
    assert (fact.connect, fact.inside_tls, fact.service) == ("accepted", True, service)
    if question == "sip":
        assert b"SIP/2.0/TLS" in bytes.fromhex(fact.request_hex)


@pytest.mark.parametrize("address", LOOPBACKS)
async def test_where_tls_is_not_agreed_nothing_is_asked(address: str):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
        await writer.drain()

    async with tcp_server(address, talk) as port:
        fact = await look_inside(address, port, "http")
    assert (fact.connect, fact.reply, fact.request_hex, fact.service) == ("accepted", "not-asked", "", None)
