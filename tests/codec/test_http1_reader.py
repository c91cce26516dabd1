"""The response reader keeps what arrived and tells the kinds of answer apart."""

from __future__ import annotations

import pytest

from flexiscan_probes.wire.http1 import Http1Response
from flexiscan_probes.wire.http1_reader import ResponseReader


def read(data: bytes, *, method: bytes = b"GET", closed: bool = True, **limits: int) -> Http1Response:
    reader = ResponseReader(method, **limits)
    reader.feed(data)
    return reader.result(closed=closed)


def test_keeps_order_case_and_duplicates_and_the_exact_head():
    head = (
        b"HTTP/1.1 200 OK\r\nX-Powered-By: ASP.NET\r\nserver: Microsoft-IIS/8.5\r\n"
        b"x-powered-BY:PHP/5.4.3\r\nContent-Length: 2\r\n\r\n"
    )
    response = read(head + b"okIGNORED")
    assert response.nature == "http1"
    assert (response.version, response.status, response.reason) == ("1.1", 200, b"OK")
    assert response.head == head
    assert [name for name, _ in response.headers] == [
        b"X-Powered-By",
        b"server",
        b"x-powered-BY",
        b"Content-Length",
    ]
    assert response.values("X-Powered-By") == (b"ASP.NET", b"PHP/5.4.3")
    assert response.body == b"ok"
    assert response.body_complete
    assert response.defects == ()


@pytest.mark.parametrize(
    ("head", "defect"),
    [
        (b"HTTP/1.1 200 OK\nA: b\n\n", ()),
        (b"\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", ("blank-lines-first",)),
        (b"HTTP/1.1 200\r\nA : b\r\n\r\n", ("blank-before-colon",)),
        (b"http/1.0 200 \r\nA:\r\n b\r\n\r\n", ("folded-header",)),
        (b"HTTP/2 200\r\nnothing\r\nA: b\r\n: x\r\n\r\n", ("line-without-name",)),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nB: c\rd\r\n\r\n", ("control-character",)),
    ],
)
def test_reads_odd_heads(head: bytes, defect: tuple[str, ...]):
    response = read(head)
    assert response.status == 200
    assert [v.strip() for v in response.values("a")] == [b"b"]
    assert response.defects == defect


def test_skips_interim_responses():
    response = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\n\r\nbody")
    assert response.interim == (100, 103)
    assert response.status == 404
    assert response.body == b"body"


def test_endless_interim_responses_end_at_the_head_limit():
    reader = ResponseReader(b"GET", max_head_bytes=1000)
    for _ in range(100):
        reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert reader.done
    response = reader.result(closed=False)
    assert (response.nature, response.truncated, response.interim) == ("cut", True, (100,) * 40)


def test_switching_protocols_is_final():
    assert read(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\nxx").status == 101


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n"])
def test_bodiless_answers_are_done_at_once(head: bytes):
    reader = ResponseReader(b"GET")
    reader.feed(head)
    assert reader.done
    assert reader.result(closed=False).body_complete


def test_an_answer_to_head_has_no_body():
    response = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method=b"HEAD", closed=False)
    assert response.framing == "none"
    assert response.body_complete


def test_chunked_body_with_extensions_and_trailers():
    reader = ResponseReader(b"GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n\r\n")
    reader.feed(b"4;a=b\r\nWiki\r\n 0A \r\n0123456789\r\n0\r\nX: y\r\n\r\n")
    assert reader.done
    response = reader.result(closed=False)
    assert response.body == b"Wiki0123456789"
    assert response.framing == "chunked"
    assert response.body_complete
    assert response.defects == ("length-beside-coding",)


@pytest.mark.parametrize(
    ("chunks", "defect"),
    [
        (b"zz\r\n", "chunk-size-malformed"),
        (b"-1\r\n", "chunk-size-malformed"),
        (b"2\r\nabcd\r\n", "chunk-end-missing"),
        (b"2;" + b"x" * 5000, "chunk-line-too-long"),
    ],
)
def test_broken_chunking_is_named(chunks: bytes, defect: str):
    response = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert response.defects == (defect,)
    assert not response.body_complete


@pytest.mark.parametrize(
    ("lengths", "framing", "defects"),
    [
        (b"Content-Length: 2\r\nContent-Length: 2\r\n", "length", ()),
        (b"Content-Length: 2, 2\r\n", "length", ()),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", "close", ("length-conflict",)),
        (b"Content-Length: +2\r\n", "close", ("length-malformed",)),
        (b"Content-Length: 99999999999999999999\r\n", "close", ("length-malformed",)),
    ],
)
def test_length_headers(lengths: bytes, framing: str, defects: tuple[str, ...]):
    response = read(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\nok")
    assert (response.framing, response.defects, response.body) == (framing, defects, b"ok")
    assert response.body_complete


def test_a_body_without_length_is_complete_only_after_an_orderly_end():
    data = b"HTTP/1.0 200 OK\r\n\r\npart"
    assert read(data, closed=True).body_complete
    assert not read(data, closed=False).body_complete


def test_a_short_body_is_incomplete_even_after_an_orderly_end():
    response = read(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart", closed=True)
    assert response.body == b"part"
    assert not response.body_complete
    assert not response.truncated


@pytest.mark.parametrize(
    "framing",
    [b"", b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n"],
    ids=["close", "length", "chunks"],
)
def test_an_endless_body_is_cut_at_the_limit(framing: bytes):
    body = b"1388\r\n" + b"a" * 5000 if b"chunked" in framing else b"a" * 5000
    reader = ResponseReader(b"GET", max_body_bytes=1000)
    reader.feed(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + body)
    assert reader.done
    response = reader.result(closed=False)
    assert response.body == b"a" * 1000
    assert response.truncated
    assert not response.body_complete


def test_a_body_of_exactly_the_limit_is_complete():
    response = read(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000, max_body_bytes=1000)
    assert response.body_complete
    assert not response.truncated


def test_endless_chunk_overhead_is_cut_by_the_input_limit():
    reader = ResponseReader(b"GET", max_head_bytes=1000, max_body_bytes=1000)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        reader.feed(b"1;" + b"x" * 300 + b"\r\na\r\n")
    assert reader.done
    assert reader.result(closed=False).truncated


def test_an_endless_head_is_cut_and_what_came_is_kept():
    reader = ResponseReader(b"GET", max_head_bytes=2000)
    reader.feed(b"HTTP/1.1 200 OK\r\nServer: x\r\n" + b"A: bbbb\r\n" * 1000)
    assert reader.done
    response = reader.result(closed=False)
    assert response.status == 200
    assert response.values("server") == (b"x",)
    assert response.truncated
    assert not response.head_complete
    assert len(response.head) == 2000


def test_ten_thousand_headers_fit_the_limit_and_are_kept():
    head = b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 10_000 + b"\r\n"
    assert len(read(head).headers) == 10_000


@pytest.mark.parametrize(
    ("data", "nature"),
    [
        (b"", "nothing"),
        (b"\r\n", "cut"),
        (b"HTT", "cut"),
        (b"HTTP/1.1 20", "cut"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "cut"),
        (b"<html><body>hello</body></html>", "http09"),
        (b"\r\n<!DOCTYPE html>", "http09"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "garbage"),
        (b"HTTP/1.1 abc\r\n\r\n", "garbage"),
        (b"HTTP/1.1\r\n\r\n", "garbage"),
        (b"ICY 200 OK\r\n\r\n", "garbage"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls-record"),
        (b"\x00" * 50, "garbage"),
    ],
)
def test_tells_what_is_not_an_answer(data: bytes, nature: str):
    response = read(data)
    assert response.nature == nature
    assert response.status is None


def test_what_is_not_http_is_kept_as_body():
    assert read(b"SSH-2.0-x\r\n").body == b"SSH-2.0-x\r\n"


def test_a_head_cut_in_the_middle_keeps_its_whole_lines():
    response = read(b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\nServ", closed=True)
    assert response.nature == "http1"
    assert response.status == 302
    assert response.values("location") == (b"https://x/",)
    assert not response.head_complete
    assert not response.body_complete
