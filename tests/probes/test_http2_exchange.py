"""HTTP/2 through httpx's engine on a pinned connection, against servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import h2.config
import h2.connection
import h2.events
import pytest

from flexiscan.model.facts import HttpExchange
from flexiscan.model.plan import Task
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall, open_target
from flexiscan_probes import http
from flexiscan_probes.wire.http1 import MAX_BODY_BYTES
from tests.net.tls_server import Handler, server_context, serving

HOST = "flexi.example.test"
LOOPBACKS = ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here"))]
Heard = list[tuple[bytes, bytes]]
Answer = Callable[[h2.connection.H2Connection, int], None]


def h2_context() -> ssl.SSLContext:
    context = server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def speaking(answer: Answer, heard: Heard) -> Handler:
    """A server that answers each request with what `answer` puts into the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    heard.extend((bytes(name), bytes(value)) for name, value in event.headers or [])
                    answer(connection, event.stream_id or 0)
            writer.write(connection.data_to_send())
            await writer.drain()

    return serve


@contextlib.asynccontextmanager
async def context(address: str) -> AsyncIterator[TaskContext]:
    clock = Clock()
    pace = Pace(Rates(udp_pps=2000), clock)
    try:
        wall = ScopeWall(open_target(address), clock=clock)
        yield TaskContext("run", "FlexiScan/test", random.Random(1), clock, pace, wall, HOST)
    finally:
        await pace.aclose()


async def ask(address: str, port: int, wait_s: float = 5.0) -> HttpExchange:
    task = Task(
        id="t",
        probe="http.ask",
        host=HOST,
        role="web-admin",
        address=address,
        transport="tcp",
        port=port,
        params={"channel": "h2", "target": "/admin/../x", "wait_s": wait_s},
        lane="l",
    )
    async with context(address) as ctx:
        return await http.observe(ctx, task)


@pytest.mark.parametrize("address", LOOPBACKS)
async def test_asks_and_reads(address: str):
    heard: Heard = []

    def answer(connection: h2.connection.H2Connection, stream: int) -> None:
        headers = [(":status", "404"), ("x-powered-by", "ASP.NET"), ("x-powered-by", "PHP/5.4")]
        connection.send_headers(stream, headers)
        connection.send_data(stream, b"no such page", end_stream=True)

    async with serving(speaking(answer, heard), address=address, context=h2_context()) as port:
        fact = await ask(address, port)
    assert (fact.outcome, fact.status, fact.version, fact.request_version) == ("response", 404, "HTTP/2", "HTTP/2")
    assert fact.header_values("X-Powered-By") == ("ASP.NET", "PHP/5.4")
    assert fact.body_text == "no such page"
    assert fact.detail == "TLSv1.3 certificate-not-verified"
    assert heard[:4] == [
        (b":method", b"GET"),
        (b":authority", f"{HOST}:{port}".encode()),
        (b":scheme", b"https"),
        (b":path", b"/admin/../x"),
    ]
    assert (b"user-agent", b"FlexiScan/test") in heard
    assert b"connection" not in [name for name, _ in heard]


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
async def test_asks_nothing_where_h2_is_not_agreed(protocols: list[str]):
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    context = server_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    async with serving(serve, context=context) as port:
        fact = await ask("127.0.0.1", port)
    assert (fact.outcome, fact.detail) in [("not-http", "no-h2"), ("tls-alert", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL")]
    assert heard in ([], [b""])


def reset_stream(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.reset_stream(stream)


def go_away(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.close_connection(error_code=1, last_stream_id=0)


def silent(connection: h2.connection.H2Connection, stream: int) -> None:
    """Settings only, never an answer."""


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [(reset_stream, "not-http", "h2-broken"), (go_away, "not-http", "h2-broken"), (silent, "timeout", "")],
)
async def test_no_answer(answer: Answer, outcome: str, detail: str):
    async with serving(speaking(answer, []), context=h2_context()) as port:
        fact = await ask("127.0.0.1", port, wait_s=1.0)
    assert (fact.outcome, fact.detail, fact.status) == (outcome, detail, None)


@pytest.mark.parametrize(
    "bytes_said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 64,
        b"\xff" * 64,
        b"\x00\x00\x04\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8,
    ],
)
async def test_bytes_that_are_no_answer(bytes_said: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bytes_said)
        await writer.drain()

    async with serving(serve, context=h2_context()) as port:
        fact = await ask("127.0.0.1", port, wait_s=1.0)
    assert fact.outcome in ("not-http", "closed", "reset", "timeout")
    assert fact.status is None


async def test_an_endless_body_stops_at_the_limit():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        stream = 0
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    stream = event.stream_id or 0
                    connection.send_headers(stream, [(":status", "200")])
            while stream and connection.local_flow_control_window(stream) >= 16384:
                connection.send_data(stream, b"a" * 16384)
                writer.write(connection.data_to_send())
                await writer.drain()
            writer.write(connection.data_to_send())

    async with serving(serve, context=h2_context()) as port:
        fact = await ask("127.0.0.1", port)
    assert (fact.status, fact.body_size, fact.body_truncated) == (200, MAX_BODY_BYTES, True)
