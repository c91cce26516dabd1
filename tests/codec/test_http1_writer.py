"""The request writer changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire.http1 import Http1Request, encode_request


def test_writes_the_bytes_as_given():
    request = Http1Request(
        method=b"GET",
        target=b"/x/%2e%2e/admin/ \\;#\xff",
        headers=((b"Host", b"a"), (b"hOST", b""), (b"X_Forwarded_For", b"127.0.0.1,"), (b"Host", b"b")),
    )
    assert encode_request(request) == (
        b"GET /x/%2e%2e/admin/ \\;#\xff HTTP/1.1\r\nHost: a\r\nhOST: \r\nX_Forwarded_For: 127.0.0.1,\r\nHost: b\r\n\r\n"
    )


def test_writes_a_body_and_an_old_version():
    request = Http1Request(b"POST", b"/", ((b"Content-Length", b"2"),), version=b"HTTP/1.0", body=b"ok")
    assert encode_request(request) == b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok"


def test_writes_the_oldest_form():
    assert encode_request(Http1Request(b"GET", b"/", version=b"")) == b"GET /\r\n"


@given(
    st.binary(max_size=20),
    st.binary(max_size=60),
    st.lists(st.tuples(st.binary(max_size=10), st.binary(max_size=20))),
)
def test_every_given_byte_is_on_the_wire_in_order(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]):
    wire = encode_request(Http1Request(method, target, tuple(headers)))
    expected = method + b" " + target + b" HTTP/1.1\r\n"
    for name, value in headers:
        expected += name + b": " + value + b"\r\n"
    assert wire == expected + b"\r\n"
