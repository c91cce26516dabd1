"""TLS over a byte stream, with every way of failing told apart. Verifies exactly what the given context verifies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flexiscan.net.byte_stream import ByteStream, Ending
from flexiscan.net.link import Received, TlsAgreed, TlsFailed

_Result = TypeVar("_Result")

_MAX_RECORD_BYTES = 16384 + 2048 + 5
"""The largest TLSCiphertext with its header (RFC 5246 6.2.3)."""
_RECORD_TYPES = (0x15, 0x16)
"""Alert and handshake: what a TLS server's first record may be (RFC 8446 5.1)."""
_MAJOR_VERSION = 3
_ALERT_PREFIXES = ("SSLV3_ALERT_", "TLSV1_", "TLSV13_ALERT_")
"""OpenSSL names an alert that was received so (sslerr.h, reason codes from 1000 on), and nothing else."""


class _EndedError(Exception):
    """The stream underneath ended, or nothing came in time."""

    def __init__(self, ending: Literal["closed", "reset", "timeout"]) -> None:
        super().__init__(ending)
        self.ending: Literal["closed", "reset", "timeout"] = ending


class TlsLayer:
    """One TLS session over one stream. The stream stays the caller's: the layer never closes it."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext, server_name: str | None) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._first_bytes = b""

    async def agree(self, *, timeout_s: float) -> TlsAgreed | TlsFailed:
        """Shake hands."""
        try:
            await self._drive(self._session.do_handshake, _now() + timeout_s)
        except _EndedError as end:
            return TlsFailed("not-tls" if self._is_foreign() else end.ending)
        except ssl.SSLError as error:
            return self._failure_of(error)
        cipher = self._session.cipher()
        return TlsAgreed(
            version=self._session.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=self._session.selected_alpn_protocol(),
            chain_der=chain_of(self._session),
        )

    async def send(self, data: bytes, *, timeout_s: float) -> Ending:
        """Send everything, encrypted."""
        ends_at = _now() + timeout_s
        try:
            # MemoryBIO takes everything, so one write is enough (SSL_write without partial writes).
            await self._drive(lambda: self._session.write(data), ends_at)
        except _EndedError as end:
            return end.ending
        except ssl.SSLError as error:
            return _ending_of(error)
        return ""

    async def receive(self, *, max_bytes: int, timeout_s: float) -> Received:
        """The next decrypted bytes. A fatal alert counts as closed by the peer, damaged records as a reset."""
        try:
            data = await self._drive(lambda: self._session.read(max_bytes), _now() + timeout_s)
        except _EndedError as end:
            return Received(end.ending)
        except ssl.SSLError as error:
            return Received(_ending_of(error))
        return Received("", data) if data else Received("closed")

    async def _drive(self, step: Callable[[], _Result], ends_at: float) -> _Result:
        """Repeat a step of the session, feeding it, until it neither wants bytes nor has bytes to send."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush(ends_at)
                await self._feed(ends_at)
            except ssl.SSLError:
                await self._flush(ends_at)
                raise
            else:
                await self._flush(ends_at)
                return result

    async def _feed(self, ends_at: float) -> None:
        left_s = max(0.0, ends_at - _now())
        received = await self._stream.receive(max_bytes=_MAX_RECORD_BYTES, timeout_s=left_s)
        if received.ending != "":
            raise _EndedError(received.ending)
        self._first_bytes = (self._first_bytes + received.data[:2])[:2]
        self._incoming.write(received.data)

    async def _flush(self, ends_at: float) -> None:
        data = self._outgoing.read()
        if data:
            left_s = max(0.0, ends_at - _now())
            ending = await self._stream.send(data, timeout_s=left_s)
            if ending == "timeout":
                raise _EndedError(ending)
            # A reset or close is told by the next receive, after the bytes (an alert, perhaps) that came before it.

    def _is_foreign(self) -> bool:
        """Whether something came whose very beginning is no TLS record."""
        first = self._first_bytes
        return (bool(first) and first[0] not in _RECORD_TYPES) or (len(first) > 1 and first[1] != _MAJOR_VERSION)

    def _failure_of(self, error: ssl.SSLError) -> TlsFailed:
        if self._is_foreign():
            return TlsFailed("not-tls")
        if isinstance(error, ssl.SSLCertVerificationError):
            return TlsFailed("failed", error.verify_message)
        reason = error.reason or str(error)
        return TlsFailed("alert" if reason.startswith(_ALERT_PREFIXES) else "failed", reason)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _ending_of(error: ssl.SSLError) -> Literal["closed", "reset"]:
    is_end = isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError)
    return "closed" if is_end or (error.reason or "").startswith(_ALERT_PREFIXES) else "reset"


def chain_of(session: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates as the server sent them, DER; only the leaf where Python does not tell more.

    `get_unverified_chain` is public from Python 3.13 on; 3.11 and 3.12 have it on the private object alone.
    """
    public: Any = getattr(session, "get_unverified_chain", None)
    if public is not None:
        return tuple(public() or ())
    private: Any = getattr(getattr(session, "_sslobj", None), "get_unverified_chain", None)
    if private is not None:
        encoding_der = 2  # _ssl.ENCODING_DER, X509_FILETYPE_ASN1
        return tuple(bytes(certificate.public_bytes(encoding_der)) for certificate in private() or ())
    leaf = session.getpeercert(binary_form=True)
    return () if leaf is None else (leaf,)
