"""One HTTP/1 request over one connection to one address, and everything that came back."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from typing import Final

from flexiscan.model.facts import HttpExchange, HttpOutcome
from flexiscan.sdk import Connection, Context, NotConnected, Received, TlsFailed
from flexiscan_probes.wire.http1 import Http1Request, Http1Response, Nature, encode_request
from flexiscan_probes.wire.http1_reader import ResponseReader
from flexiscan_probes.wire.http_content import decode_content, decode_text

CONNECT_TIMEOUT_S: Final = 4.5
"""Covers the kernel's SYN retransmissions at 1, 2 and 4 s (RFC 6298)."""
TLS_TIMEOUT_S: Final = 6.0
ANSWER_TIMEOUT_S: Final = 8.0
"""For the whole answer, from the request on: a drip cannot hold the lane longer."""
DEADLINE_S: Final = CONNECT_TIMEOUT_S + TLS_TIMEOUT_S + 2 * ANSWER_TIMEOUT_S + 2.0
MAX_TEXT_CHARACTERS: Final = 16 * 1024
"""How much of a body goes into the record: enough for titles, forms and error texts."""
_READ_BYTES: Final = 64 * 1024

_ALIEN: Final[dict[Nature, HttpOutcome]] = {
    "nothing": "closed",
    "cut": "not-http",
    "http09": "http09",
    "tls-record": "not-http",
    "garbage": "not-http",
}


@dataclass(frozen=True, slots=True)
class Errand:
    """Where to and what: the address is pinned, Host and server name stand apart from it."""

    address: str
    port: int
    server_name: str | None
    """None: no server_name extension (and plain HTTP)."""
    encrypted: bool
    host: str
    """Value of the Host header."""
    request: Http1Request
    wait_s: float = ANSWER_TIMEOUT_S
    """For the whole answer, from the request on."""


def client_context(protocols: tuple[str, ...]) -> ssl.SSLContext:
    """A TLS client that talks to everything: the certificate and the version are other rules' business.

    The certificate is not verified; the fact says so.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # named from Python 3.12 on
    context.set_alpn_protocols(list(protocols))
    return context


async def exchange(context: Context, errand: Errand) -> HttpExchange:
    """Connect, encrypt where asked, send, read to the end of the response or of the time."""
    began_s = context.monotonic()
    link = await context.connect(errand.address, errand.port, timeout_s=CONNECT_TIMEOUT_S)
    if isinstance(link, NotConnected):
        return not_connected_fact(errand, link, context.monotonic() - began_s)
    async with link:
        notes: tuple[str, ...] = ()
        if errand.encrypted:
            agreed = await link.start_tls(
                client_context(("http/1.1",)),
                server_name=errand.server_name,
                timeout_s=min(TLS_TIMEOUT_S, errand.wait_s),
            )
            if isinstance(agreed, TlsFailed):
                return tls_failure_fact(errand, agreed, context.monotonic() - began_s)
            notes = (f"{agreed.version} certificate-not-verified",)
        return await _ask(context, link, errand, notes, began_s)


async def _ask(
    context: Context, link: Connection, errand: Errand, notes: tuple[str, ...], began_s: float
) -> HttpExchange:
    sent = await link.send(encode_request(errand.request), timeout_s=errand.wait_s)
    reader = ResponseReader(errand.request.method)
    ending = await _read(context, link, reader, errand.wait_s)
    response = reader.result(closed=ending == "closed")
    elapsed_s = context.monotonic() - began_s
    if response.nature == "http1":
        return response_fact(errand, response, ending, notes, elapsed_s)
    if response.nature == "nothing":
        outcomes: dict[str, HttpOutcome] = {"closed": "closed", "reset": "reset", "timeout": "timeout"}
        return bare_fact(errand, outcomes.get(ending or sent, "closed"), elapsed_s)
    return _alien_fact(errand, response, elapsed_s)


async def _read(context: Context, link: Connection, reader: ResponseReader, wait_s: float) -> str:
    """Feed the reader until it is done; returns how the stream ended, "" when it was not needed to the end."""
    ends_s = context.monotonic() + wait_s
    while not reader.done:
        left_s = ends_s - context.monotonic()
        if left_s <= 0:
            return "timeout"
        received: Received = await link.receive(max_bytes=_READ_BYTES, timeout_s=left_s)
        reader.feed(received.data)
        if received.ending:
            return received.ending
    return ""


def not_connected_fact(errand: Errand, link: NotConnected, elapsed_s: float) -> HttpExchange:
    """The fact of a connection that was not accepted."""
    outcomes: dict[str, HttpOutcome] = {
        "reset": "connect-reset",
        "icmp": "connect-icmp",
        "refused": "connect-refused",
        "silence": "connect-silence",
    }
    return bare_fact(errand, outcomes[link.outcome], elapsed_s)


def tls_failure_fact(errand: Errand, failed: TlsFailed, elapsed_s: float) -> HttpExchange:
    """The fact of TLS that was not agreed."""
    if failed.outcome == "alert":
        return bare_fact(errand, "tls-alert", elapsed_s, detail=failed.detail)
    return bare_fact(errand, "tls-failed", elapsed_s, detail=failed.outcome)


def _alien_fact(errand: Errand, response: Http1Response, elapsed_s: float) -> HttpExchange:
    raw = response.body or response.head
    bare = bare_fact(errand, _ALIEN[response.nature], elapsed_s, detail=response.nature)
    return bare.model_copy(
        update={
            "body_text": raw.decode("latin-1")[:MAX_TEXT_CHARACTERS],
            "body_size": len(raw),
            "body_sha256": hashlib.sha256(raw).hexdigest(),
            "body_truncated": response.truncated,
        }
    )


def response_fact(
    errand: Errand, response: Http1Response, ending: str, notes: tuple[str, ...], elapsed_s: float
) -> HttpExchange:
    """The fact of a response. `ending`: how the connection ended, "" when it was not needed to the end."""
    content = decode_content(response.body, response.values("Content-Encoding"))
    kind = b", ".join(response.values("Content-Type"))
    text = decode_text(content.data, kind)
    cut = () if response.body_complete else (f"body-incomplete-{ending or 'limit'}",)
    defects = (content.defect,) if content.defect else ()
    bare = bare_fact(errand, "response", elapsed_s, detail="; ".join((*notes, *response.defects, *cut, *defects)))
    return bare.model_copy(
        update={
            "version": f"HTTP/{response.version}",
            "status": response.status,
            "reason": response.reason.decode("latin-1"),
            "headers": tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers),
            "body_text": text[:MAX_TEXT_CHARACTERS],
            "body_size": len(content.data),
            "body_sha256": hashlib.sha256(content.data).hexdigest(),
            "body_truncated": response.truncated
            or len(text) > MAX_TEXT_CHARACTERS
            or content.defect == "decoded-too-large",
        }
    )


def bare_fact(errand: Errand, outcome: HttpOutcome, elapsed_s: float, *, detail: str = "") -> HttpExchange:
    """A fact without an answer: what was asked, and what became of it."""
    return HttpExchange(
        scheme="https" if errand.encrypted else "http",
        method=errand.request.method.decode("latin-1"),
        target=errand.request.target.decode("latin-1"),
        host=errand.host,
        sni=errand.server_name if errand.encrypted else None,
        request_head=encode_request(errand.request).decode("latin-1"),
        outcome=outcome,
        detail=detail,
        elapsed_ms=elapsed_s * 1000,
    )
