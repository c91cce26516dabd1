"""First bytes of services, and bytes that look like one and are not."""

from __future__ import annotations

import pytest

from flexiscan_probes.wire.recognise import guess_service
from flexiscan_probes.wire.recognised import SERVICES, printable

BANNERS = [
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "ssh"),
    (b"220 mail.example ESMTP Postfix\r\n", "smtp"),
    (b"220-FileZilla Server FTP\r\n", "ftp"),
    (b"+OK POP3 ready\r\n", "pop3"),
    (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "imap"),
    (b"RFB 003.008\n", "vnc"),
    (b"J\x00\x00\x00\x0a8.0.34\x00" + bytes(30), "mysql"),
    (b"E\x00\x00\x00\x8fSFATAL\x00VFATAL\x00", "postgresql"),
    (b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
    (b"SIP/2.0 400 Bad Request\r\n", "sip"),
    (b"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: x\r\n", "sip"),
    (b"\x15\x03\x01\x00\x02\x02\x46", "tls"),
    (b"\x16\x03\x03\x00\x7a\x02", "tls"),
    (b"HTTP/1.1 404 Not Found\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n", "http"),
    (b"HTTP/1.0 200 OK\r\n\r\n<title>Datatal CTStack Configuration</title>", "ctstack-config"),
    (b"HTTP/1.1 200 OK\r\n\r\n<title>Kemp Login Screen</title>", "loadmaster"),
    (b'HTTP/1.1 200 OK\r\n\r\n<img src="/kemplogo.png">', "loadmaster"),
    (b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="LoadMaster"\r\n\r\n', "loadmaster"),
    (b"HTTP/1.1 200 OK\r\n\r\n<p>A story about a loadmaster</p>", "http"),
    (b"Welcome to CTStack API 4.1\r\n", "ctstack-api"),
    (b"GIOP\x01\x02\x00\x06\x00\x00\x00\x00", "giop"),
    (bytes.fromhex("0300000b06d00000123400"), "rdp"),
    (b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun"),
]


@pytest.mark.parametrize(("data", "service"), BANNERS)
def test_known_first_bytes(data: bytes, service: str):
    found = guess_service(data)
    assert found is not None
    assert found.service == service
    assert found.service in SERVICES


@pytest.mark.parametrize("data", [b"", b"\r\n", b"220 ready\r\n", b"HTTP", b"\x15\x04\x00", b"hello", b"\x00" * 64])
def test_unknown_bytes_are_not_guessed(data: bytes):
    assert guess_service(data) is None


def test_http_product_is_kept_without_control_characters():
    found = guess_service(b"HTTP/1.1 200 OK\r\nServer: evil\x1b[31m\x07box\r\n\r\n")
    assert found is not None
    assert dict(found.details)["product"] == "evil.[31m.box"


def test_printable_is_short_plain_ascii():
    text = printable(b"\x00<b>\xc3\xa5\n" * 100)
    assert len(text) == 120
    assert text.isascii()
    assert text.isprintable()
