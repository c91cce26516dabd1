"""One HTTP/2 request over one connection that the framework opened: httpx's own engine on a pinned stream.

The engine never resolves, never connects and follows no redirect: it gets a stream and gives back what came.
"""

from __future__ import annotations

from typing import Final

import h2.exceptions
import httpcore

from flexiscan.model.facts import HttpExchange, HttpOutcome
from flexiscan.sdk import Connection, Context, NotConnected, TlsFailed
from flexiscan_probes.http_exchange import (
    CONNECT_TIMEOUT_S,
    TLS_TIMEOUT_S,
    Errand,
    bare_fact,
    client_context,
    not_connected_fact,
    response_fact,
    tls_failure_fact,
)
from flexiscan_probes.wire.http1 import MAX_BODY_BYTES, MAX_HEAD_BYTES, Http1Response

MAX_INPUT_BYTES: Final = MAX_HEAD_BYTES + 2 * MAX_BODY_BYTES
"""Everything that is read of one connection, frames and settings included."""
_FORBIDDEN_HEADERS: Final = (b"connection",)
"""RFC 9113 section 8.2.2."""
_ENDINGS: Final[dict[str, HttpOutcome]] = {"closed": "closed", "reset": "reset", "timeout": "timeout"}


class PinnedStream(httpcore.AsyncNetworkStream):
    """A stream of the engine over a connection of the framework, with one limit of time and one of bytes."""

    def __init__(self, context: Context, link: Connection, wait_s: float) -> None:
        self._context = context
        self._link = link
        self._ends_s = context.monotonic() + wait_s
        self._bytes_left = MAX_INPUT_BYTES
        self.ending = ""
        """How the connection ended, "limit" when too much came; "" while it is usable."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, b"" after an orderly end. Raises httpcore's ReadTimeout or ReadError."""
        left_s = self._ends_s - self._context.monotonic()
        if left_s <= 0:
            self.ending = "timeout"
            raise httpcore.ReadTimeout
        received = await self._link.receive(max_bytes=max_bytes, timeout_s=left_s)
        self.ending = received.ending
        if received.ending == "timeout":
            raise httpcore.ReadTimeout
        if received.ending == "reset":
            raise httpcore.ReadError
        self._bytes_left -= len(received.data)
        if self._bytes_left < 0:
            self.ending = "limit"
            raise httpcore.ReadError
        return received.data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send everything. Raises httpcore's WriteError."""
        if not buffer:
            return
        left_s = max(0.0, self._ends_s - self._context.monotonic())
        failed = await self._link.send(buffer, timeout_s=left_s)
        if failed:
            self.ending = failed
            raise httpcore.WriteError

    async def aclose(self) -> None:
        """Drop the connection."""
        self._link.close()


async def exchange_h2(context: Context, errand: Errand) -> HttpExchange:
    """Connect, agree on h2 by ALPN, ask once. Where h2 is not agreed nothing is asked (detail `no-h2`)."""
    began_s = context.monotonic()
    link = await context.connect(errand.address, errand.port, timeout_s=CONNECT_TIMEOUT_S)
    if isinstance(link, NotConnected):
        return not_connected_fact(errand, link, context.monotonic() - began_s)
    async with link:
        agreed = await link.start_tls(
            client_context(("h2",)), server_name=errand.server_name, timeout_s=min(TLS_TIMEOUT_S, errand.wait_s)
        )
        if isinstance(agreed, TlsFailed):
            return _as_h2(tls_failure_fact(errand, agreed, context.monotonic() - began_s))
        if agreed.alpn != "h2":
            return _as_h2(bare_fact(errand, "not-http", context.monotonic() - began_s, detail="no-h2"))
        stream = PinnedStream(context, link, errand.wait_s)
        answer = await _ask(stream, errand)
        elapsed_s = context.monotonic() - began_s
        if isinstance(answer, str):
            outcome = _ENDINGS.get(stream.ending, "not-http")
            return _as_h2(bare_fact(errand, outcome, elapsed_s, detail="" if outcome != "not-http" else answer))
        note = f"{agreed.version} certificate-not-verified"
        return _as_h2(response_fact(errand, answer, stream.ending, (note,), elapsed_s))


async def _ask(stream: PinnedStream, errand: Errand) -> Http1Response | str:
    """The response, or the name of what the engine could not read."""
    url = httpcore.URL(scheme=b"https", host=b"pinned", port=errand.port, target=errand.request.target)
    headers = [(name, value) for name, value in errand.request.headers if name.lower() not in _FORBIDDEN_HEADERS]
    engine = httpcore.AsyncHTTP2Connection(url.origin, stream)
    try:
        response = await engine.handle_async_request(httpcore.Request(errand.request.method, url, headers=headers))
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        return "h2-broken"
    except (httpcore.ConnectionNotAvailable, h2.exceptions.H2Error, ValueError):
        return "h2-broken"  # a GOAWAY, frames out of order, a :status that is no number
    body, complete = await _body(response)
    return Http1Response(
        nature="http1",
        version="2",
        status=response.status,
        headers=tuple(response.headers),
        head_complete=True,
        body=body[:MAX_BODY_BYTES],
        body_complete=complete,
        truncated=len(body) > MAX_BODY_BYTES,
    )


async def _body(response: httpcore.Response) -> tuple[bytes, bool]:
    """The body as far as it came, a little more than the limit at most; whether its end was seen."""
    body = bytearray()
    try:
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return bytes(body), False
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, h2.exceptions.H2Error):
        return bytes(body), False
    return bytes(body), True


def _as_h2(fact: HttpExchange) -> HttpExchange:
    return fact.model_copy(update={"request_version": "HTTP/2"})
