from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan.net.dial import StreamConnection, connect
from flexiscan.net.link import TlsAgreed, TlsFailed
from flexiscan.net.tls_context import permissive_context
from tests.net.local_parts import LOOPBACK, pace_of, wall_of
from tests.net.tls_server import HOST, Handler, credentials, server_context, serving

OLD = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


async def dialled(port: int, address: str = "127.0.0.1") -> StreamConnection:
    connection = await connect(address, port, pace=pace_of(), wall=wall_of(address))
    assert isinstance(connection, StreamConnection)
    return connection


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def outcome_against(
    handler: Handler,
    *,
    context: ssl.SSLContext | None = None,
    client: ssl.SSLContext | None = None,
    timeout_s: float = 5,
) -> TlsAgreed | TlsFailed:
    async with serving(handler, context=context) as port, await dialled(port) as connection:
        return await connection.start_tls(client or permissive_context(), server_name=HOST, timeout_s=timeout_s)


@pytest.mark.parametrize("address", LOOPBACK.values())
async def test_plain_text_goes_both_ways_inside(address: str) -> None:
    context = server_context()
    context.set_alpn_protocols(["http/1.1"])
    async with serving(echo, context=context, address=address) as port, await dialled(port, address) as connection:
        agreed = await connection.start_tls(permissive_context(alpn=["h2", "http/1.1"]), server_name=HOST, timeout_s=5)
        assert isinstance(agreed, TlsAgreed)
        assert (agreed.version, agreed.alpn) == ("TLSv1.3", "http/1.1")
        assert agreed.cipher.startswith("TLS_")
        assert agreed.chain_der == credentials().chain_der
        message = bytes(range(256)) * 300
        assert await connection.send(message, timeout_s=5) == ""
        received = b""
        while len(received) < len(message):
            part = await connection.receive(max_bytes=1000, timeout_s=5)
            assert part.ending == ""
            assert len(part.data) <= 1000
            received += part.data
        assert received == message
        assert (await connection.receive(max_bytes=10, timeout_s=0)).ending == "timeout"
        await connection.send(b"still there", timeout_s=5)
        assert (await connection.receive(max_bytes=100, timeout_s=5)).data == b"still there"


@pytest.mark.parametrize("version", OLD)
async def test_old_servers_can_be_observed(version: str) -> None:
    agreed = await outcome_against(echo, context=server_context(OLD[version], OLD[version]))
    assert isinstance(agreed, TlsAgreed)
    assert agreed.version == version


@pytest.mark.parametrize("version", OLD)
async def test_a_client_can_be_held_to_one_version(version: str) -> None:
    client = permissive_context(minimum_version=OLD[version], maximum_version=OLD[version])
    agreed = await outcome_against(echo, context=server_context(), client=client)
    assert isinstance(agreed, TlsAgreed)
    assert agreed.version == version


def _shake_hands_blocking(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(ssl.SSLError):
        context.wrap_socket(listener.accept()[0], server_side=True).close()


async def test_an_alert_is_named() -> None:
    """From a server that sends its alert: the asyncio one drops the connection instead."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        strict = server_context(minimum=ssl.TLSVersion.TLSv1_3)
        serving_once = asyncio.create_task(asyncio.to_thread(_shake_hands_blocking, listener, strict))
        client = permissive_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        async with await dialled(listener.getsockname()[1]) as connection:
            failed = await connection.start_tls(client, server_name=HOST, timeout_s=5)
        await serving_once
    assert failed == TlsFailed("alert", "TLSV1_ALERT_PROTOCOL_VERSION")


@pytest.mark.parametrize(
    ("description", "name"),
    [(40, "SSLV3_ALERT_HANDSHAKE_FAILURE"), (112, "TLSV1_UNRECOGNIZED_NAME"), (80, "TLSV1_ALERT_INTERNAL_ERROR")],
)
async def test_a_bare_alert_is_named(description: int, name: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bytes((0x15, 3, 1, 0, 2, 2, description)))
        writer.close()

    assert await outcome_against(refuse) == TlsFailed("alert", name)


async def test_closing_resetting_and_silence_are_told_apart() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert await outcome_against(close) == TlsFailed("closed")
    assert await outcome_against(reset) == TlsFailed("reset")
    assert await outcome_against(say_nothing, timeout_s=0.05) == TlsFailed("timeout")


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"\x16\x02\x00",
        b"\x00",
        b"220 ready\r\n",
        b"\x17\x03\x03\x00\x01x",
    ],
)
@pytest.mark.parametrize("then_close", [True, False])
async def test_a_server_that_speaks_something_else_is_not_tls(words: bytes, then_close: bool) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(words)
        if then_close:
            writer.close()
        await reader.read()

    failed = await outcome_against(speak, timeout_s=0.3)
    assert isinstance(failed, TlsFailed)
    assert failed.outcome == "not-tls"


async def test_a_context_that_verifies_is_obeyed() -> None:
    made = credentials()
    untrusting = ssl.create_default_context()
    failed = await outcome_against(echo, context=server_context(), client=untrusting)
    assert isinstance(failed, TlsFailed)
    assert failed.outcome == "failed"
    assert "certificate" in failed.detail
    trusting = ssl.create_default_context(cadata=made.root.public_bytes(Encoding.PEM).decode())
    assert isinstance(await outcome_against(echo, context=server_context(), client=trusting), TlsAgreed)


async def test_the_end_of_a_session_is_an_end() -> None:
    async def say_bye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    async with serving(say_bye, context=server_context()) as port, await dialled(port) as connection:
        await connection.start_tls(permissive_context(), server_name=None, timeout_s=5)
        assert (await connection.receive(max_bytes=10, timeout_s=5)).data == b"bye"
        assert (await connection.receive(max_bytes=10, timeout_s=5)).ending == "closed"


async def test_a_stream_cut_inside_a_session_is_an_end_too() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with serving(cut, context=server_context()) as port, await dialled(port) as connection:
        await connection.start_tls(permissive_context(), server_name=None, timeout_s=5)
        await connection.send(b"x", timeout_s=5)
        assert (await connection.receive(max_bytes=10, timeout_s=5)).ending in ("closed", "reset")


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.booleans())
def test_hostile_bytes_are_an_outcome_and_never_an_exception(words: bytes, as_record: bool) -> None:
    answer = b"\x16\x03\x03" + len(words).to_bytes(2, "big") + words if as_record else words

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        with contextlib.suppress(OSError):
            writer.write_eof()
        await reader.read()

    outcome = asyncio.run(_within(speak))
    assert isinstance(outcome, TlsFailed)


async def _within(handler: Handler) -> TlsAgreed | TlsFailed:
    return await outcome_against(handler, timeout_s=2)


def test_the_permissive_context_verifies_nothing() -> None:
    context = permissive_context()
    assert context.verify_mode == ssl.CERT_NONE
    assert not context.check_hostname
