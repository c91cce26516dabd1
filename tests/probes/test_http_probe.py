"""The web probe: what it plans, the bytes it sends, and what it makes of answers that never or wrongly come."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from flexiscan.model.facts import HttpExchange
from flexiscan.model.plan import Task
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall, open_target
from flexiscan.sdk import NotConnected, Received
from flexiscan_probes import http
from flexiscan_probes.http_exchange import ANSWER_TIMEOUT_S, MAX_TEXT_CHARACTERS
from flexiscan_probes.http_questions import Channel
from flexiscan_probes.wire.http1 import MAX_BODY_BYTES, MAX_HEAD_BYTES
from tests.net.tls_server import server_context, serving
from tests.probes.twin import Talk, TwinConnection, TwinContext, VirtualClock

HOST = "flexi.example.test"
ADDRESS = "2001:db8:2::10"
LOOPBACKS = ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here"))]
each_family = pytest.mark.parametrize("address", LOOPBACKS)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"


def task(
    address: str, port: int, channel: Channel = "http", target: str = "/admin/", agent: str = "own", wait_s: float = 8.0
) -> Task:
    params = {"channel": channel, "target": target, "agent": agent, "wait_s": wait_s}
    return Task(
        id="t",
        probe="http.ask",
        host=HOST,
        role="web-admin",
        address=address,
        transport="tcp",
        port=port,
        params=params,
        lane="l",
    )


async def over_twin(talk: Talk) -> tuple[HttpExchange, TwinConnection, float]:
    clock = VirtualClock()
    began_s = clock.now_s
    link = TwinConnection(clock, talk)
    fact = await http.observe(TwinContext(link=link, clock=clock), task(ADDRESS, 80))
    return fact, link, clock.now_s - began_s


def answering(*parts: tuple[float, Received]) -> Talk:
    return lambda heard: parts if heard else ()


# --- on a virtual clock ---


async def test_sends_exactly_these_bytes():
    _, link, _ = await over_twin(answering((0.0, Received("closed"))))
    assert link.sent == [
        b"GET /admin/ HTTP/1.1\r\nHost: flexi.example.test\r\nUser-Agent: FlexiScan/test\r\nAccept: */*\r\n"
        b"X-FlexiScan-Id: twin\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ]
    assert link.closed


async def test_a_browser_question_still_names_the_run():
    link = TwinConnection(VirtualClock(), answering((0.0, Received("closed"))))
    await http.observe(TwinContext(link=link), task(ADDRESS, 8080, agent="browser"))
    lines = link.sent[0].split(b"\r\n")
    assert lines[1] == b"Host: flexi.example.test:8080"
    assert lines[2].startswith(b"User-Agent: Mozilla/5.0 (Windows")
    assert b"X-FlexiScan-Id: twin" in lines


@pytest.mark.parametrize(
    ("outcome", "expected"), [("reset", "connect-reset"), ("icmp", "connect-icmp"), ("silence", "connect-silence")]
)
async def test_not_connected(outcome: str, expected: str):
    link = NotConnected(outcome, None, 1, 4.5)  # type: ignore[arg-type]
    fact = await http.observe(TwinContext(link=link), task(ADDRESS, 80))
    assert (fact.outcome, fact.status) == (expected, None)


@pytest.mark.parametrize(
    ("parts", "outcome", "detail"),
    [
        ([(0.1, Received("closed"))], "closed", ""),
        ([(0.1, Received("reset"))], "reset", ""),
        ([], "timeout", ""),
        ([(0.1, Received("", b"<html>old</html>")), (0.1, Received("closed"))], "http09", "http09"),
        ([(0.1, Received("", b"SSH-2.0-x\r\n"))], "not-http", "garbage"),
        ([(0.1, Received("", b"\x15\x03\x01\x00\x02\x02\x46")), (0.1, Received("closed"))], "not-http", "tls-record"),
        ([(0.1, Received("", b"HTTP/1.")), (0.1, Received("reset"))], "not-http", "cut"),
        ([(0.1, Received("", OK_HEAD + b"\r\npart")), (0.1, Received("reset"))], "response", "body-incomplete-reset"),
        ([(0.1, Received("", OK_HEAD + b"Content-Length: 9\r\n\r\npart"))], "response", "body-incomplete-timeout"),
        ([(0.1, Received("", OK_HEAD + b"\r\nwhole")), (0.1, Received("closed"))], "response", ""),
    ],
)
async def test_endings_are_told_apart(parts: list[tuple[float, Received]], outcome: str, detail: str):
    fact, link, _ = await over_twin(answering(*parts))
    assert (fact.outcome, fact.detail) == (outcome, detail)
    assert link.closed


async def test_a_drip_ends_with_the_time():
    drip = [(1.0, Received("", bytes([byte]))) for byte in OK_HEAD * 5]
    fact, _, took_s = await over_twin(answering(*drip))
    assert fact.outcome == "not-http"
    assert took_s == pytest.approx(ANSWER_TIMEOUT_S, abs=1.0)


async def test_a_drip_with_a_status_line_is_a_response():
    drip = [(0.0, Received("", OK_HEAD)), *((1.0, Received("", b"A: b\r\n")) for _ in range(50))]
    fact, _, took_s = await over_twin(answering(*drip))
    assert (fact.outcome, fact.status) == ("response", 200)
    assert took_s == pytest.approx(ANSWER_TIMEOUT_S, abs=1.0)


async def test_an_endless_body_stops_at_the_limit():
    flood = [(0.0, Received("", OK_HEAD + b"\r\n")), *((0.001, Received("", b"a" * 65536)) for _ in range(100))]
    fact, _, _ = await over_twin(answering(*flood))
    assert (fact.status, fact.body_size, fact.body_truncated) == (200, MAX_BODY_BYTES, True)
    assert len(fact.body_text) == MAX_TEXT_CHARACTERS


async def test_endless_headers_stop_at_the_limit():
    flood = [
        (0.0, Received("", OK_HEAD)),
        *((0.001, Received("", b"X-A: " + b"a" * 1000 + b"\r\n")) for _ in range(100)),
    ]
    fact, _, _ = await over_twin(answering(*flood))
    assert fact.status == 200
    assert fact.body_truncated
    assert sum(len(name) + len(value) for name, value in fact.headers) < MAX_HEAD_BYTES


async def test_a_gzip_bomb_stops_at_the_limit():
    bomb = gzip.compress(b"\x00" * 100_000_000)
    head = OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    fact, _, _ = await over_twin(answering((0.0, Received("", head + bomb))))
    assert fact.detail == "decoded-too-large"
    assert fact.body_size <= 2 * 1024 * 1024
    assert fact.body_truncated


async def test_keeps_headers_as_they_came():
    head = b"HTTP/1.1 404 Not Found\r\nx-POWERED-by: ASP.NET\r\nX-Powered-By: PHP/5\xe4\r\nContent-Length: 2\r\n\r\nno"
    fact, _, _ = await over_twin(answering((0.0, Received("", head))))
    assert fact.headers == (("x-POWERED-by", "ASP.NET"), ("X-Powered-By", "PHP/5\xe4"), ("Content-Length", "2"))
    assert (fact.version, fact.status, fact.reason, fact.body_text) == ("HTTP/1.1", 404, "Not Found", "no")
    assert len(fact.body_sha256) == 64


# --- over real sockets ---


@contextlib.asynccontextmanager
async def context(address: str) -> AsyncIterator[TaskContext]:
    clock = Clock()
    pace = Pace(Rates(udp_pps=2000), clock)
    try:
        wall = ScopeWall(open_target(address), clock=clock)
        yield TaskContext("run", "FlexiScan/test", random.Random(1), clock, pace, wall, HOST)
    finally:
        await pace.aclose()


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return serve


async def ask(address: str, port: int, channel: Channel = "http", wait_s: float = 5.0) -> HttpExchange:
    async with context(address) as ctx:
        return await http.observe(ctx, task(address, port, channel, wait_s=wait_s))


@each_family
async def test_a_page_in_clear(address: str):
    async with serving(saying(OK_HEAD + b"Content-Length: 5\r\n\r\nhello"), address=address) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.status, fact.body_text, fact.detail) == ("response", 200, "hello", "")
    assert (fact.scheme, fact.sni, fact.host) == ("http", None, f"{HOST}:{port}")


@each_family
async def test_a_page_over_tls_with_the_name_of_the_host(address: str):
    names: list[str | None] = []
    tls = server_context()
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with serving(saying(OK_HEAD + b"\r\nhello"), address=address, context=tls) as port:
        fact = await ask(address, port, "https")
    assert (fact.outcome, fact.status, fact.body_text) == ("response", 200, "hello")
    assert "certificate-not-verified" in fact.detail
    assert (fact.scheme, fact.sni, names) == ("https", HOST, [HOST])


@each_family
async def test_refused(address: str):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        port = sock.getsockname()[1]
    assert (await ask(address, port)).outcome == "connect-reset"


@each_family
async def test_reset_after_the_request(address: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(serve, address=address) as port:
        assert (await ask(address, port)).outcome == "reset"


@each_family
async def test_silence_after_the_request(address: str):
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve, address=address) as port:
        assert (await ask(address, port, wait_s=0.2)).outcome == "timeout"
        assert (await ask(address, port, "https", wait_s=0.2)).detail == "timeout"


@each_family
async def test_tls_to_a_port_in_clear(address: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(serve, address=address) as port:
        fact = await ask(address, port, "https")
    assert (fact.outcome, fact.detail) == ("tls-failed", "not-tls")


@each_family
async def test_clear_to_a_port_with_tls(address: str):
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve, address=address, context=server_context()) as port:
        fact = await ask(address, port)
    assert fact.outcome in ("not-http", "closed", "reset")
    assert fact.detail in ("tls-record", "")
