"""Hostile bytes never raise, limits hold, and the splits of the input change nothing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire.http1 import Http1Response, parse_head
from flexiscan_probes.wire.http1_reader import ResponseReader

MAX_HEAD_BYTES = 120
MAX_BODY_BYTES = 60

PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 404",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 500\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n",
        b"40;x=y\r\n",
        b"0\r\n\r\n",
        b"<html>",
        b" folded\r\n",
        b"Name : value\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x00\xff",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]
)
STREAMS = st.one_of(st.binary(max_size=400), st.lists(st.one_of(PIECES, st.binary(max_size=8))).map(b"".join))


def read(parts: list[bytes], method: bytes, *, closed: bool) -> Http1Response:
    reader = ResponseReader(method, MAX_HEAD_BYTES, MAX_BODY_BYTES)
    for part in parts:
        reader.feed(part)
    return reader.result(closed=closed)


@given(STREAMS, st.sampled_from([b"GET", b"HEAD"]), st.booleans(), st.lists(st.integers(0, 400)))
def test_splits_change_nothing(stream: bytes, method: bytes, closed: bool, cuts: list[int]):
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    parts = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole = read([stream], method, closed=closed)
    assert read(parts, method, closed=closed) == whole
    assert read([bytes([b]) for b in stream], method, closed=closed) == whole


@given(STREAMS, st.booleans())
def test_limits_hold_and_the_nature_fits(stream: bytes, closed: bool):
    response = read([stream], b"GET", closed=closed)
    assert len(response.head) <= MAX_HEAD_BYTES
    assert len(response.body) <= max(MAX_BODY_BYTES, MAX_HEAD_BYTES)
    assert (response.status is not None) == (response.nature == "http1")
    assert (response.nature == "nothing") == (stream == b"")
    if response.body_complete:
        assert not response.truncated
    if response.head_complete:
        assert stream.find(response.head) >= 0


@given(STREAMS)
def test_a_head_parses_or_is_refused(stream: bytes):
    parsed = parse_head(stream)
    assert parsed is None or 0 <= parsed.status <= 999
