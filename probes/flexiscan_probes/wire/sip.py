"""SIP OPTIONS, the question every SIP server answers (RFC 3261 section 11). No I/O."""

from __future__ import annotations

import re
from typing import Final, Literal

from flexiscan_probes.wire.recognised import Recognised, printable

PORT: Final = 5060
"""RFC 3261 section 18: default port for UDP and TCP."""

ANSWER_WAIT_S: Final = 7.5
"""Slow phones and gateways need several seconds for OPTIONS; the longest wait that is known to be needed."""

_MAX_HEAD_BYTES: Final = 8192
_TOKEN: Final = re.compile(r"[0-9a-z]{4,64}\Z")
_STATUS_LINE: Final = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9])(?: |\r|\n)")
_CALL_ID_NAMES: Final = (b"call-id", b"i")  # RFC 3261 section 20.8: 'i' is the compact form
_PRODUCT_NAMES: Final = (b"server", b"user-agent")


def build_options(
    *,
    server: str,
    port: int,
    transport: Literal["udp", "tcp", "tls"],
    token: str,
    sent_by: str = "flexiscan.invalid",
    user_agent: str = "FlexiScan",
) -> bytes:
    """An OPTIONS request to an address (no name: the address is what is asked).

    `sent_by` stands in Via and Contact; rport (RFC 3581) has the answer sent back to where the request came
    from. `token` (4-64 of 0-9a-z) makes branch, tag and Call-ID unique. ValueError for another token, or for a
    `user_agent` that is not one line of printable ASCII.
    """
    call_id = call_id_of(token)
    if not (user_agent.isascii() and user_agent.isprintable()):
        raise ValueError(f"a user agent is one line of printable ASCII, not {user_agent!r}")
    uri_host = f"[{server}]" if ":" in server else server
    lines = (
        f"OPTIONS sip:{uri_host}:{port};transport={transport} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {sent_by};branch=z9hG4bK{token};rport",
        "Max-Forwards: 70",
        f"From: <sip:flexiscan@flexiscan.invalid>;tag={token}",
        f"To: <sip:{uri_host}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:flexiscan@{sent_by};transport={transport}>",
        "Accept: application/sdp",
        f"User-Agent: {user_agent}",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def call_id_of(token: str) -> str:
    """The Call-ID that `build_options` uses for this token; ValueError for a token of another shape."""
    if not _TOKEN.match(token):
        raise ValueError(f"a SIP token is 4 to 64 characters of 0-9a-z, not {token!r}")
    return f"fx{token}"


def recognise_status(data: bytes, token: str) -> Recognised | None:
    """A SIP answer of any status to the OPTIONS with this token, else None. Never raises on any `data`."""
    status = _STATUS_LINE.match(data)
    if status is None:
        return None
    headers = _read_headers(data)
    wanted = call_id_of(token).encode("ascii")
    if not any(headers.get(name) == wanted for name in _CALL_ID_NAMES):
        return None
    details = [("status", status[1].decode("ascii"))]
    product = next((headers[name] for name in _PRODUCT_NAMES if headers.get(name)), None)
    if product is not None:
        details.append(("product", printable(product)))
    return Recognised("sip", tuple(details))


def _read_headers(data: bytes) -> dict[bytes, bytes]:
    """Header fields by lower-case name, the first of each name, up to the empty line."""
    head = data[:_MAX_HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers
