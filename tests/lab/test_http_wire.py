"""Requests as HTTP.sys reads them, responses as bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_lab.servers.http_wire import RefusedRequest, Response, read_request, write_response


def head(first: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([first, *(headers or (b"Host: a",))])


def test_a_plain_request() -> None:
    request = read_request(head(b"GET /a%20b?c=%2F HTTP/1.1", b"Host: x:8080", b"Content-Length: 5"))
    assert (request.method, request.target, request.header("host")) == ("GET", "/a%20b?c=%2F", "x:8080")
    assert request.body_bytes() == 5
    assert request.keeps_alive()


@pytest.mark.parametrize(
    ("first", "headers", "said"),
    [
        (b"GET /% HTTP/1.1", (b"Host: a",), "Invalid URL"),
        (b"GET /%00 HTTP/1.1", (b"Host: a",), "Invalid URL"),
        (b"GET /\xe4 HTTP/1.1", (b"Host: a",), "Invalid URL"),
        (b"G(T / HTTP/1.1", (b"Host: a",), "Invalid Verb"),
        (b"GET /", (b"Host: a",), "Invalid URL"),
        (b"GET / HTTP/1.1", (b"X: a",), "Invalid Hostname"),
        (b"GET / HTTP/1.1", (b"Host: a", b"Host: b"), "Invalid Hostname"),
        (b"GET / HTTP/1.1", (b"Host: a", b"Bad header: b"), "Invalid Header"),
    ],
)
def test_the_kernel_refuses(first: bytes, headers: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(RefusedRequest) as refused:
        read_request(head(first, *headers))
    assert refused.value.status == 400
    assert said in refused.value.text


def test_http10_without_host_is_served_and_closed() -> None:
    assert not read_request(b"GET / HTTP/1.0").keeps_alive()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(RefusedRequest):
        assert read_request(data).method


def test_a_response_to_head_has_the_length_but_no_body() -> None:
    request = read_request(head(b"HEAD / HTTP/1.1"))
    wire = write_response(request, Response(200, (("X", "1"), ("X", "2")), b"body"), closes=False)
    assert wire.startswith(b"HTTP/1.1 200 OK\r\nX: 1\r\nX: 2\r\nDate: ")
    assert wire.endswith(b"Content-Length: 4\r\n\r\n")
