"""Content decoding stops at its cap and names what went wrong."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire.http_content import decode_content, decode_text


def _gzip(data: bytes) -> bytes:
    """The same bytes every time: they name the test."""
    return gzip.compress(data, mtime=0)


RAW_DEFLATE = zlib.compressobj(wbits=-15)
RAW = RAW_DEFLATE.compress(b"text") + RAW_DEFLATE.flush()


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (b"text", ()),
        (b"text", (b"identity",)),
        (_gzip(b"text"), (b"gzip",)),
        (_gzip(b"text"), (b"X-GZip",)),
        (zlib.compress(b"text"), (b"deflate",)),
        (RAW, (b"deflate",)),
        (_gzip(zlib.compress(b"text")), (b"deflate, gzip",)),
        (_gzip(zlib.compress(b"text")), (b"deflate", b"gzip")),
    ],
)
def test_decodes(body: bytes, codings: tuple[bytes, ...]):
    decoded = decode_content(body, codings)
    assert (decoded.data, decoded.defect) == (b"text", "")


def test_a_bomb_stops_at_the_cap():
    bomb = _gzip(b"\x00" * 50_000_000)
    decoded = decode_content(bomb, (b"gzip",), max_bytes=10_000)
    assert decoded.defect == "decoded-too-large"
    assert len(decoded.data) == 10_000


def test_a_bomb_in_a_bomb_stops_at_the_cap():
    bomb = _gzip(_gzip(b"\x00" * 50_000_000))
    decoded = decode_content(bomb, (b"gzip, gzip",), max_bytes=100_000)
    assert decoded.defect == "decoded-too-large"
    assert len(decoded.data) <= 100_000


@pytest.mark.parametrize(
    ("body", "codings", "defect"),
    [
        (b"xx", (b"br",), "coding-unknown"),
        (b"xx", (b"gzip,gzip,gzip",), "coding-layers"),
        (b"not gzip", (b"gzip",), "coding-broken"),
        (_gzip(b"text" * 100)[:-20], (b"gzip",), "coding-broken"),
    ],
)
def test_names_what_it_cannot_decode(body: bytes, codings: tuple[bytes, ...], defect: str):
    assert decode_content(body, codings).defect == defect


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ("Växel".encode(), b"", "Växel"),
        ("Växel".encode("latin-1"), b"text/html; charset=iso-8859-1", "Växel"),
        ("Växel".encode("latin-1"), b"", "Växel"),
        ("Växel".encode("latin-1"), b"text/html; charset=utf-8", "V\ufffdxel"),
        ("Växel".encode(), b"text/html; charset=nonsense-9", "Växel"),
        ("Växel".encode("utf-16"), b'text/xml; charset="UTF-16"', "Växel"),
    ],
)
def test_reads_text_by_charset(data: bytes, content_type: bytes, text: str):
    assert decode_text(data, content_type) == text


@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"gzip", b"deflate", b"br", b"", b"\xff", b"x"]), max_size=3),
    st.integers(1, 200),
)
def test_never_raises_and_keeps_the_cap(body: bytes, codings: list[bytes], max_bytes: int):
    decoded = decode_content(body, tuple(codings), max_bytes)
    assert len(decoded.data) <= max(max_bytes, len(body))
    assert isinstance(decode_text(decoded.data, body), str)
