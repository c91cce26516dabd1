"""Reads what a server answers to a ClientHello, piece by piece. No I/O and no cryptography.

The reader never raises on hostile bytes: what cannot be TLS is a reply of kind "not-tls" with its first bytes. The
result depends on the bytes alone, not on how they were cut. Formats: RFC 5246 7, RFC 8446 4 and 5,
draft-hickman-netscape-ssl-00.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from flexiscan_probes.wire import tls_numbers as n
from flexiscan_probes.wire.tls_messages import (
    MalformedMessage,
    ServerHello,
    read_certificates,
    read_key_exchange,
    read_server_hello,
    read_ssl2_server_hello,
)

MAX_HANDSHAKE_BYTES: Final = 64 * 1024
"""A longer flight is refused: the largest honest certificate chains are a tenth of it."""
MAX_STREAM_BYTES: Final = 96 * 1024
"""Records included; also ends floods of empty records and warnings."""
_MAX_RECORD_BYTES: Final = 16384 + 2048  # RFC 5246 6.2.3
_PREVIEW_BYTES: Final = 64
_RECORD_HEADER: Final = 5
_FATAL, _CLOSE_NOTIFY = 2, 0

ReplyKind = Literal["nothing", "server-hello", "hello-retry", "alert", "ssl2-hello", "ssl2-error", "not-tls"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What was understood so far.

    `kind` "nothing" means that no complete message arrived. `alert` fields may stand beside a hello when the
    server changed its mind. `fault` names what was wrong with the bytes, "" when nothing was. `flight_complete` is
    True when all that can be read in clear was read. `preview` holds the beginning of an answer that was not TLS.
    """

    kind: ReplyKind = "nothing"
    hello: ServerHello | None = None
    certificates: tuple[bytes, ...] = ()
    group: int | None = None
    dh_bits: int | None = None
    signature_scheme: int | None = None
    client_certificate_requested: bool = False
    stapled: bool = False
    alert_level: int | None = None
    alert_description: int | None = None
    ssl2_version: int | None = None
    ssl2_kinds: tuple[int, ...] = ()
    flight_complete: bool = False
    fault: str = ""
    preview: bytes = b""

    @property
    def plain_http(self) -> bool:
        """Whether the answer is an HTTP/1 status line in clear."""
        return self.preview.startswith(b"HTTP/1.")


class ReplyReader:
    """Feed it bytes as they come until `done`; `reply` is what they meant.

    `expect_ssl2` is set when the hello was an SSL 2.0 one: an answer may then be an SSL 2.0 message as well as TLS
    records. Holds at most MAX_STREAM_BYTES.
    """

    def __init__(self, *, expect_ssl2: bool = False) -> None:
        self._expect_ssl2 = expect_ssl2
        self._buffer = bytearray()
        self._handshake = bytearray()
        self._alert = bytearray()
        self._handshake_bytes = 0
        self._stream_bytes = 0
        self._preview = bytearray()
        self._mode: Literal["undecided", "tls", "ssl2", "foreign"] = "undecided"
        self._reply = Reply()
        self.done = False

    @property
    def reply(self) -> Reply:
        """The reading of everything fed so far."""
        reply = replace(self._reply, kind="not-tls") if self._mode == "foreign" else self._reply
        return replace(reply, preview=bytes(self._preview)) if reply.kind == "not-tls" else reply

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Bytes after the end of what can be read in clear are ignored."""
        for start in range(0, len(data), _RECORD_HEADER + _MAX_RECORD_BYTES):
            if self.done:
                return
            self._take(data[start : start + _RECORD_HEADER + _MAX_RECORD_BYTES])

    def _take(self, data: bytes) -> None:
        self._preview += data[: _PREVIEW_BYTES - len(self._preview)]
        self._buffer += data
        if self._mode == "undecided":
            self._decide()
        if self._mode == "foreign":
            self._end_foreign()
        elif self._mode == "ssl2":
            self._read_ssl2()
        elif self._mode == "tls":
            while not self.done and self._read_record():
                pass

    def _decide(self) -> None:
        """Tell TLS records, SSL 2.0 messages and foreign protocols apart by the first bytes."""
        first = self._buffer[0]
        if self._expect_ssl2 and first & 0x80:
            self._mode = "ssl2"
        elif n.CHANGE_CIPHER_SPEC <= first <= n.HEARTBEAT and (len(self._buffer) < 2 or self._buffer[1] == 3):
            self._mode = "tls" if len(self._buffer) >= 2 else "undecided"
        else:
            self._mode = "foreign"

    def _end_foreign(self) -> None:
        """A foreign answer is read until its first line or the size of the preview."""
        self._buffer.clear()
        line, separator, _ = bytes(self._preview).partition(b"\n")
        if separator:
            self._preview = bytearray(line + separator)
        self.done = bool(separator) or len(self._preview) >= _PREVIEW_BYTES

    def _read_record(self) -> bool:
        """Take one record off the buffer; False when it is not complete yet."""
        if len(self._buffer) < _RECORD_HEADER:
            return False
        kind, major = self._buffer[0], self._buffer[1]
        length = int.from_bytes(self._buffer[3:5], "big")
        if major != 3 or not n.CHANGE_CIPHER_SPEC <= kind <= n.HEARTBEAT or length > _MAX_RECORD_BYTES:
            self._stream_bytes += _RECORD_HEADER
            self._fail("record header")
            return False
        if len(self._buffer) < _RECORD_HEADER + length:
            return False
        content = bytes(self._buffer[_RECORD_HEADER : _RECORD_HEADER + length])
        del self._buffer[: _RECORD_HEADER + length]
        self._stream_bytes += _RECORD_HEADER + length
        if self._stream_bytes > MAX_STREAM_BYTES:
            self._fail("more than can be an answer")
        elif kind == n.ALERT:
            self._read_alert(content)
        elif kind == n.HANDSHAKE:
            self._read_handshake(content)
        else:
            self._fail(f"record of type {kind} in the first flight")
        return True

    def _read_alert(self, content: bytes) -> None:
        self._alert += content
        while len(self._alert) >= 2 and not self.done:
            level, description = self._alert[0], self._alert[1]
            del self._alert[:2]
            kind = "alert" if self._reply.hello is None else self._reply.kind
            self._reply = replace(self._reply, kind=kind, alert_level=level, alert_description=description)
            # A warning such as unrecognized_name may stand before a ServerHello; close_notify ends (RFC 5246 7.2).
            self.done = level >= _FATAL or description == _CLOSE_NOTIFY

    def _read_handshake(self, content: bytes) -> None:
        self._handshake += content
        self._handshake_bytes += len(content)
        while not self.done and len(self._handshake) >= 4:
            length = int.from_bytes(self._handshake[1:4], "big")
            if length > MAX_HANDSHAKE_BYTES:
                self._fail("handshake message too long")
                return
            if len(self._handshake) < 4 + length:
                break
            kind, body = self._handshake[0], bytes(self._handshake[4 : 4 + length])
            del self._handshake[: 4 + length]
            self._read_message(kind, body)
        if not self.done and self._handshake_bytes > MAX_HANDSHAKE_BYTES:
            self._fail("handshake too long")

    def _read_message(self, kind: int, body: bytes) -> None:
        try:
            if self._reply.hello is None:
                self._read_first(kind, body)
            else:
                self._read_later(kind, body, self._reply.hello)
        except MalformedMessage as error:
            self._fail(str(error))

    def _read_first(self, kind: int, body: bytes) -> None:
        if kind != n.SERVER_HELLO:
            raise MalformedMessage(f"handshake message {kind} before the ServerHello")
        hello = read_server_hello(body)
        tls13 = hello.version >= 0x0304
        self._reply = replace(
            self._reply,
            kind="hello-retry" if hello.retry else "server-hello",
            hello=hello,
            group=hello.group,
            flight_complete=tls13,
        )
        self.done = tls13 or hello.retry

    def _read_later(self, kind: int, body: bytes, hello: ServerHello) -> None:
        if kind == n.CERTIFICATE:
            self._reply = replace(self._reply, certificates=read_certificates(body))
        elif kind == n.CERTIFICATE_STATUS:
            self._reply = replace(self._reply, stapled=len(body) > 4)
        elif kind == n.SERVER_KEY_EXCHANGE:
            exchange = read_key_exchange(body, suite=hello.suite, version=hello.version)
            self._reply = replace(
                self._reply,
                group=exchange.group,
                dh_bits=exchange.dh_bits,
                signature_scheme=exchange.signature_scheme,
            )
        elif kind == n.CERTIFICATE_REQUEST:
            self._reply = replace(self._reply, client_certificate_requested=True)
        elif kind == n.SERVER_HELLO_DONE:
            self._reply = replace(self._reply, flight_complete=True)
            self.done = True
        else:
            raise MalformedMessage(f"handshake message {kind} in the first flight")

    def _read_ssl2(self) -> None:
        """An SSL 2.0 message in a two-byte record; the length has 15 bits."""
        if len(self._buffer) < 2:
            return
        length = int.from_bytes(self._buffer[:2], "big") & 0x7FFF
        if len(self._buffer) < 2 + length:
            return
        body = bytes(self._buffer[2 : 2 + length])
        self._stream_bytes = 2 + length
        self._buffer.clear()
        self.done = True
        if body[:1] == bytes([n.SSL2_ERROR]) and length == 3:
            self._reply = replace(self._reply, kind="ssl2-error", flight_complete=True)
            return
        try:
            version, kinds, certificates = read_ssl2_server_hello(body)
        except MalformedMessage as error:
            self._fail(str(error))
            return
        self._reply = replace(
            self._reply,
            kind="ssl2-hello",
            ssl2_version=version,
            ssl2_kinds=kinds,
            certificates=certificates,
            flight_complete=True,
        )

    def _fail(self, fault: str) -> None:
        """Bytes that are no TLS: the end of reading. A hello or alert understood before stays."""
        understood = self._reply.hello is not None or self._reply.kind == "alert"
        kind = self._reply.kind if understood else "not-tls"
        self._reply = replace(self._reply, kind=kind, fault=fault)
        del self._preview[self._stream_bytes :]  # however the bytes were cut, the same beginning is kept
        self._buffer.clear()
        self._handshake.clear()
        self.done = True
