"""Guesses from the first bytes which service speaks. A guess names a service; it never closes a port."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from flexiscan_probes.wire import giop, mssql, rdp, smb
from flexiscan_probes.wire.recognised import Recognised, Service, printable

_MAX_LOOK_BYTES: Final = 16384

_PAGES: Final[tuple[tuple[re.Pattern[bytes], Service], ...]] = (
    (re.compile(rb"datatal ctstack", re.IGNORECASE), "ctstack-config"),  # title of the page on port 1339
    (re.compile(rb"kemp login screen|kemplogo", re.IGNORECASE), "loadmaster"),  # title and picture of its logon page
    (re.compile(rb"\nwww-authenticate:[^\r\n]{0,200}loadmaster", re.IGNORECASE), "loadmaster"),
)
_HTTP: Final = re.compile(rb"HTTP/[01]\.[0-9] ([1-5][0-9][0-9])")
_HTTP_PRODUCT: Final = re.compile(rb"\nserver:[ \t]*([^\r\n]*)", re.IGNORECASE)
_TLS: Final = re.compile(rb"[\x15\x16]\x03[\x00-\x04]")
_BANNERS: Final[tuple[tuple[re.Pattern[bytes], Service], ...]] = (
    (re.compile(rb"SIP/2\.0 [1-6][0-9][0-9]"), "sip"),
    (re.compile(rb"[A-Z]{3,10} sips?:[^\r\n]* SIP/2\.0\r?\n"), "sip"),
    (re.compile(rb"SSH-[12]\.[0-9]"), "ssh"),
    (re.compile(rb"220[ -][^\r\n]*\b(?:E?SMTP|Mail|Postfix|Exim)\b", re.IGNORECASE), "smtp"),
    (re.compile(rb"220[ -][^\r\n]*FTP", re.IGNORECASE), "ftp"),
    (re.compile(rb"\+OK[ \r\n]"), "pop3"),
    (re.compile(rb"\* (?:OK|PREAUTH|BYE)[ \r\n]"), "imap"),
    (re.compile(rb"RFB [0-9]{3}\.[0-9]{3}\n"), "vnc"),
    (re.compile(rb".{3}\x00\x0a[0-9]+\.[0-9]+\.[0-9]+[^\x00]{0,64}\x00", re.DOTALL), "mysql"),
    (re.compile(rb"E\x00\x00[\x00-\x03].S(?:ERROR|FATAL)\x00", re.DOTALL), "postgresql"),
    (re.compile(rb"\xff[\xfb-\xfe][\x00-\x27]"), "telnet"),
    (re.compile(rb"[\x00\x01][\x01\x11]..\x21\x12\xa4\x42.{12}", re.DOTALL), "stun"),
    (re.compile(rb"[^\r\n]{0,80}\bCTStack\b", re.IGNORECASE), "ctstack-api"),  # names itself in its first line
)
_READERS: Final[tuple[Callable[[bytes], Recognised | None], ...]] = (
    giop.recognise_answer,
    rdp.recognise_answer,
    smb.recognise_answer,
    mssql.recognise_prelogin,
)


def guess_service(data: bytes) -> Recognised | None:
    """The service whose first bytes these are, or None. Looks at 16 KiB at most; never raises."""
    head = data[:_MAX_LOOK_BYTES]
    http = _HTTP.match(head)
    if http is not None:
        return _read_http(head, http[1])
    if _TLS.match(head):
        return Recognised("tls", (("record", "alert" if head[0] == 0x15 else "handshake"),))
    for pattern, service in _BANNERS:
        if pattern.match(head):
            return Recognised(service, (("banner", printable(head.partition(b"\n")[0].rstrip(b"\r"))),))
    return next((found for reader in _READERS if (found := reader(head)) is not None), None)


def _read_http(head: bytes, status: bytes) -> Recognised:
    details = [("status", status.decode("ascii"))]
    product = _HTTP_PRODUCT.search(head)
    if product is not None:
        details.append(("product", printable(product[1].strip())))
    service = next((service for mark, service in _PAGES if mark.search(head)), None)
    return Recognised(service or "http", tuple(details))
