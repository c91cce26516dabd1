from __future__ import annotations

import contextlib
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire import tls_numbers as n
from flexiscan_probes.wire.tls_messages import (
    MalformedMessage,
    read_certificates,
    read_key_exchange,
    read_server_hello,
    read_ssl2_server_hello,
)
from flexiscan_probes.wire.tls_reply import MAX_STREAM_BYTES, Reply, ReplyReader


def vector(length_bytes: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_bytes, "big") + content


def record(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + vector(2, content)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def server_hello(version: int, suite: int, extensions: bytes | None = b"", random: bytes = bytes(32)) -> bytes:
    body = version.to_bytes(2, "big") + random + b"\x00" + suite.to_bytes(2, "big") + b"\x00"
    return message(n.SERVER_HELLO, body + (b"" if extensions is None else vector(2, extensions)))


def extension(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, value)


def alert(level: int, description: int) -> bytes:
    return record(n.ALERT, bytes([level, description]))


CERTIFICATE_MESSAGE = message(n.CERTIFICATE, vector(3, vector(3, b"leaf") + vector(3, b"issuer")))
CURVE_MESSAGE = message(
    n.SERVER_KEY_EXCHANGE, b"\x03\x00\x1d" + vector(1, bytes(32)) + b"\x08\x04" + vector(2, bytes(256))
)
DONE_MESSAGE = message(n.SERVER_HELLO_DONE, b"")
FLIGHT = (
    server_hello(0x0303, 0xC02F, extension(n.EXT_RENEGOTIATION, b"\x00"))
    + CERTIFICATE_MESSAGE
    + CURVE_MESSAGE
    + message(n.CERTIFICATE_REQUEST, b"\x01\x01\x00\x00\x00\x00")
    + DONE_MESSAGE
)
RETRY = record(
    n.HANDSHAKE,
    server_hello(
        0x0303,
        0x1301,
        extension(n.EXT_VERSIONS, b"\x03\x04") + extension(n.EXT_KEY_SHARE, b"\x11\xec"),
        n.RETRY_RANDOM,
    ),
)
SSL2_BODY = b"\x04\x00\x01\x00\x02" + b"\x00\x04\x00\x06\x00\x10" + b"cert" + bytes.fromhex("010080020080") + bytes(16)
SSL2_HELLO = (0x8000 | len(SSL2_BODY)).to_bytes(2, "big") + SSL2_BODY


def read(data: bytes, *, expect_ssl2: bool = False) -> ReplyReader:
    reader = ReplyReader(expect_ssl2=expect_ssl2)
    reader.feed(data)
    return reader


def test_a_tls12_flight_is_read_to_its_end() -> None:
    reader = read(record(n.HANDSHAKE, FLIGHT))
    reply = reader.reply
    assert reader.done
    assert reply.flight_complete
    assert reply.kind == "server-hello"
    assert reply.hello is not None
    assert (reply.hello.version, reply.hello.suite) == (0x0303, 0xC02F)
    assert reply.hello.extensions == (n.EXT_RENEGOTIATION,)
    assert reply.certificates == (b"leaf", b"issuer")
    assert (reply.group, reply.dh_bits, reply.signature_scheme) == (29, None, 0x0804)
    assert reply.client_certificate_requested


def test_one_message_may_span_records_and_one_record_may_hold_many_messages() -> None:
    whole = read(record(n.HANDSHAKE, FLIGHT)).reply
    cut = b"".join(record(n.HANDSHAKE, FLIGHT[i : i + 7]) for i in range(0, len(FLIGHT), 7))
    assert read(cut).reply == whole


def test_a_retry_request_names_the_group() -> None:
    reply = read(RETRY).reply
    assert reply.kind == "hello-retry"
    assert reply.hello is not None
    assert (reply.hello.version, reply.hello.suite, reply.group) == (0x0304, 0x1301, 0x11EC)


def test_a_tls13_hello_ends_what_can_be_read() -> None:
    share = extension(n.EXT_KEY_SHARE, b"\x00\x1d" + vector(2, bytes(32)))
    hello = server_hello(0x0303, 0x1302, extension(n.EXT_VERSIONS, b"\x03\x04") + share)
    reader = read(record(n.HANDSHAKE, hello) + record(20, b"\x01") + b"encrypted")
    assert reader.done
    assert reader.reply.kind == "server-hello"
    assert reader.reply.group == 29
    assert reader.reply.fault == ""


def test_an_ssl3_hello_without_extensions() -> None:
    reply = read(record(n.HANDSHAKE, server_hello(0x0300, 0x0005, None) + DONE_MESSAGE, 0x0300)).reply
    assert reply.hello is not None
    assert (reply.hello.version, reply.hello.extensions) == (0x0300, ())


def test_dh_size_comes_from_the_prime_not_from_its_length_field() -> None:
    prime = vector(2, b"\x00" + (1 << 1023).to_bytes(128, "big"))
    body = prime + vector(2, b"\x02") + vector(2, bytes(128)) + b"\x08\x04" + vector(2, bytes(8))
    assert read_key_exchange(body, suite=0x009E, version=0x0303).dh_bits == 1024
    assert read_key_exchange(body, suite=0x0033, version=0x0301).signature_scheme is None


def test_a_psk_exchange_begins_with_a_hint() -> None:
    body = vector(2, b"hint") + b"\x03\x00\x17" + vector(1, bytes(65))
    assert read_key_exchange(body, suite=0xC035, version=0x0303).group == 23
    assert read_key_exchange(b"", suite=0x002F, version=0x0303).group is None


def test_a_fatal_alert_ends() -> None:
    reader = read(alert(2, 70))
    assert reader.done
    assert (reader.reply.kind, reader.reply.alert_level, reader.reply.alert_description) == ("alert", 2, 70)


def test_a_warning_may_stand_before_the_hello() -> None:
    reply = read(alert(1, 112) + record(n.HANDSHAKE, FLIGHT)).reply
    assert reply.kind == "server-hello"
    assert reply.alert_description == 112
    waiting = read(alert(1, 112))
    assert not waiting.done
    assert waiting.reply.kind == "alert"


def test_close_notify_ends() -> None:
    assert read(alert(1, 0)).done


def test_an_alert_in_two_records_is_one_alert() -> None:
    assert read(record(n.ALERT, b"\x02") + record(n.ALERT, b"\x28")).reply.alert_description == 40


def test_an_alert_after_the_hello_is_kept_beside_it() -> None:
    reply = read(record(n.HANDSHAKE, server_hello(0x0303, 0xC02F)) + alert(2, 80)).reply
    assert (reply.kind, reply.alert_description, reply.flight_complete) == ("server-hello", 80, False)


@pytest.mark.parametrize(
    ("answer", "http"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>", True),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", False),
        (b"\x16\x09" + bytes(70), False),
        (b"<html>" + b"a" * 100, False),
    ],
)
def test_other_protocols_are_recognised(answer: bytes, http: bool) -> None:
    reader = read(answer)
    assert reader.done
    assert reader.reply.kind == "not-tls"
    assert reader.reply.plain_http is http
    assert answer.startswith(reader.reply.preview)
    assert 0 < len(reader.reply.preview) <= 64


@pytest.mark.parametrize(
    "broken",
    [
        record(n.HANDSHAKE, CERTIFICATE_MESSAGE),
        record(n.CHANGE_CIPHER_SPEC, b"\x01"),
        record(n.APPLICATION_DATA, b"data"),
        record(n.HANDSHAKE, server_hello(0x0303, 0x1301, extension(n.EXT_VERSIONS, b"\x03"))),
        record(n.HANDSHAKE, message(n.SERVER_HELLO, b"\x03\x03")),
        record(n.HANDSHAKE, server_hello(0x7F1C, 0x1301)),
        b"\x16\x03\x03\xff\xff",
        record(n.HANDSHAKE, b"\x02\xff\xff\xff"),
    ],
)
def test_broken_tls_is_no_answer(broken: bytes) -> None:
    reader = read(broken)
    assert reader.done
    assert reader.reply.kind == "not-tls"
    assert reader.reply.fault


def test_a_hello_survives_a_broken_rest() -> None:
    reply = read(record(n.HANDSHAKE, server_hello(0x0300, 0x0004)) + b"garbage after it").reply
    assert reply.kind == "server-hello"
    assert reply.fault == "record header"


def test_ssl2_hello_lists_what_the_server_has() -> None:
    reply = read(SSL2_HELLO, expect_ssl2=True).reply
    assert (reply.kind, reply.ssl2_version) == ("ssl2-hello", 2)
    assert reply.ssl2_kinds == (0x010080, 0x020080)
    assert reply.certificates == (b"cert",)
    assert read(SSL2_HELLO).reply.kind == "not-tls"


def test_an_ssl2_question_may_be_answered_by_an_error_or_by_tls() -> None:
    assert read(b"\x80\x03\x00\x00\x01", expect_ssl2=True).reply.kind == "ssl2-error"
    assert read(alert(2, 70), expect_ssl2=True).reply.kind == "alert"
    assert read(b"\x80\x02\x07\x07", expect_ssl2=True).reply.kind == "not-tls"


@pytest.mark.parametrize(
    "flood",
    [
        record(n.HANDSHAKE, b"") * 40_000,
        alert(1, 112) * 40_000,
        record(n.HANDSHAKE, server_hello(0x0303, 0xC02F))
        + record(n.HANDSHAKE, message(n.CERTIFICATE_STATUS, bytes(15000))) * 30,
    ],
    ids=["empty records", "warnings", "handshake"],
)
def test_a_flood_is_cut_off_and_memory_stays_bounded(flood: bytes) -> None:
    parts = slices(flood, 1000)
    reader = ReplyReader()
    tracemalloc.start()
    for part in parts:
        reader.feed(part)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.done
    assert reader.reply.fault
    assert peak < 2 * MAX_STREAM_BYTES


def slices(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Streams that are near enough to TLS to reach every branch."""
    parts = st.sampled_from(
        [
            alert(1, 112),
            alert(2, 40),
            record(n.HANDSHAKE, FLIGHT),
            record(n.HANDSHAKE, server_hello(0x0301, 0x0033)),
            record(n.HANDSHAKE, CERTIFICATE_MESSAGE),
            record(n.HANDSHAKE, CURVE_MESSAGE[:9]),
            RETRY,
            SSL2_HELLO,
            b"HTTP/1.0 400\n",
            b"\x16\x03",
            b"\x80",
        ]
    )
    data = bytearray(b"".join(draw(st.lists(parts | st.binary(max_size=40), max_size=5))))
    if data and draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@given(streams() | st.binary(max_size=300), st.booleans(), st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_of_any_bytes_gives_the_same_reply(data: bytes, expect_ssl2: bool, sizes: list[int]) -> None:
    whole = read(data, expect_ssl2=expect_ssl2)
    cut = ReplyReader(expect_ssl2=expect_ssl2)
    rest = data
    for size in sizes:
        cut.feed(rest[:size])
        rest = rest[size:]
    cut.feed(rest)
    single = ReplyReader(expect_ssl2=expect_ssl2)
    for i in range(len(data)):
        single.feed(data[i : i + 1])
    assert whole.reply == cut.reply == single.reply
    assert whole.done == cut.done == single.done
    assert isinstance(whole.reply, Reply)


@given(streams())
def test_a_truncated_stream_never_invents_a_hello(data: bytes) -> None:
    """What a beginning says, the whole says too: reading on never takes an answer back."""
    kinds = [read(data[:i]).reply.kind for i in range(len(data) + 1)]
    settled = list(itertools.dropwhile(lambda kind: kind in ("nothing", "alert"), kinds))
    assert len(set(settled)) <= 1


@given(st.binary(max_size=200), st.sampled_from([0x0033, 0x009E, 0xC02F, 0xC035, 0x002F, 0x4242]))
def test_messages_raise_nothing_but_their_own_error(body: bytes, suite: int) -> None:
    for parse in (read_server_hello, read_certificates, read_ssl2_server_hello):
        with contextlib.suppress(MalformedMessage):
            parse(body)
    with contextlib.suppress(MalformedMessage):
        read_key_exchange(body, suite=suite, version=0x0303)
