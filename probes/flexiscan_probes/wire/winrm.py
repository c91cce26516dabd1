"""Windows Remote Management: Identify without credentials (DMTF DSP0226 section 11, MS-WSMV 3.1.4.1.23). No I/O."""

from __future__ import annotations

import re
from typing import Final

from flexiscan_probes.wire.recognised import Recognised, printable

PORT: Final = 5985
TLS_PORT: Final = 5986

_ENVELOPE: Final = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    b' xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    b"<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>"
)
_MAX_LOOK_BYTES: Final = 16384
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
_IDENTITY: Final = re.compile(rb"<(?:[\w.-]{1,20}:)?IdentifyResponse[\s>]")
_VENDOR: Final = re.compile(rb"<(?:[\w.-]{1,20}:)?ProductVendor>([^<]{1,200})<")
_VERSION: Final = re.compile(rb"<(?:[\w.-]{1,20}:)?ProductVersion>([^<]{1,200})<")
_CHALLENGE: Final = re.compile(rb"\nwww-authenticate:[ \t]*(?:negotiate|kerberos|credssp)\b", re.IGNORECASE)
_KERNEL_SERVER: Final = re.compile(rb"\nserver:[ \t]*microsoft-httpapi/", re.IGNORECASE)


def build_identify(*, host: str, user_agent: str) -> bytes:
    """A POST of the Identify message. `host` is the Host value. ValueError for text that is no line of ASCII."""
    for text in (host, user_agent):
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"a header value is one line of printable ASCII, not {text!r}")
    lines = (
        "POST /wsman HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {user_agent}",
        "WSMANIDENTIFY: unauthenticated",
        "Content-Type: application/soap+xml;charset=UTF-8",
        f"Content-Length: {len(_ENVELOPE)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii") + _ENVELOPE


def recognise_answer(data: bytes) -> Recognised | None:
    """An answer to Identify, or the refusal that only Windows itself writes there, else None. Never raises.

    Microsoft's server asks for Negotiate in front of /wsman where it does not answer strangers.
    """
    head, _, body = data[:_MAX_LOOK_BYTES].partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        return None
    if _IDENTITY.search(body):
        details = [
            (name, printable(found[1].strip()))
            for name, found in (("vendor", _VENDOR.search(body)), ("version", _VERSION.search(body)))
            if found is not None
        ]
        return Recognised("winrm", tuple(details))
    if status[1] == b"401" and _CHALLENGE.search(head) and _KERNEL_SERVER.search(head):
        return Recognised("winrm", (("status", "401"),))
    return None
