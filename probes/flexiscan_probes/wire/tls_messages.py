"""Reads the single messages of a server's first flight, each whole. No I/O and no cryptography."""

from __future__ import annotations

from dataclasses import dataclass

from flexiscan.model.tls_suites import suite_of
from flexiscan_probes.wire import tls_numbers as n

_RANDOM_BYTES = 32
_NAMED_CURVE = 3  # RFC 8422 5.4: ECCurveType named_curve


class MalformedMessage(ValueError):
    """A message whose lengths do not fit, or that does not belong where it stands."""


@dataclass(frozen=True, slots=True)
class ServerHello:
    """A ServerHello or HelloRetryRequest. `version` is the one negotiated, also where an extension says it."""

    version: int
    suite: int
    compression: int
    extensions: tuple[int, ...]
    retry: bool
    group: int | None
    """From the key share of TLS 1.3."""
    alpn: str | None


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """The readable part of a ServerKeyExchange (RFC 5246 7.4.3, RFC 8422 5.4)."""

    group: int | None = None
    dh_bits: int | None = None
    signature_scheme: int | None = None


class _Cursor:
    """Takes fields off the front of a message; MalformedMessage when they are not there."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    @property
    def empty(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise MalformedMessage(f"{self._what} ends early")
        part = self._data[self._at : end]
        self._at = end
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_bytes: int) -> bytes:
        return self.take(self.number(length_bytes))


def read_server_hello(body: bytes) -> ServerHello:
    """Read a ServerHello of SSL 3.0 to TLS 1.3, without its four-byte header. Raises MalformedMessage."""
    cursor = _Cursor(body, "ServerHello")
    version = cursor.number(2)
    if not 0x0300 <= version <= 0x0304:
        raise MalformedMessage(f"ServerHello of version 0x{version:04x}")
    random = cursor.take(_RANDOM_BYTES)
    if len(cursor.vector(1)) > 32:
        raise MalformedMessage("ServerHello with a session id over 32 bytes")
    suite, compression = cursor.number(2), cursor.number(1)
    extensions = {} if cursor.empty else _read_extensions(cursor.vector(2))
    chosen = extensions.get(n.EXT_VERSIONS)
    if chosen is not None:
        if len(chosen) != 2:
            raise MalformedMessage("ServerHello with a broken supported_versions")
        version = int.from_bytes(chosen, "big")
    share = extensions.get(n.EXT_KEY_SHARE, b"")
    return ServerHello(
        version=version,
        suite=suite,
        compression=compression,
        extensions=tuple(extensions),
        retry=random == n.RETRY_RANDOM,
        group=int.from_bytes(share[:2], "big") if len(share) >= 2 else None,
        alpn=_read_alpn(extensions.get(n.EXT_ALPN)),
    )


def _read_extensions(data: bytes) -> dict[int, bytes]:
    cursor = _Cursor(data, "extension list")
    found: dict[int, bytes] = {}
    while not cursor.empty:
        kind = cursor.number(2)
        found[kind] = cursor.vector(2)
    return found


def _read_alpn(value: bytes | None) -> str | None:
    """The one protocol that the server chose (RFC 7301 3.1), as latin-1 text."""
    if value is None:
        return None
    names = _Cursor(value, "ALPN")
    return _Cursor(names.vector(2), "ALPN list").vector(1).decode("latin-1")


def read_certificates(body: bytes) -> tuple[bytes, ...]:
    """The DER certificates of a Certificate message up to TLS 1.2, as sent. Raises MalformedMessage."""
    entries = _Cursor(_Cursor(body, "Certificate").vector(3), "certificate list")
    found: list[bytes] = []
    while not entries.empty:
        found.append(entries.vector(3))
    return tuple(found)


def read_key_exchange(body: bytes, *, suite: int, version: int) -> KeyExchange:
    """Group, size and signature scheme of a ServerKeyExchange for this suite. Raises MalformedMessage."""
    traits = suite_of(suite)
    if traits is None or traits.key_exchange not in ("DHE", "ECDHE"):
        return KeyExchange()
    cursor = _Cursor(body, "ServerKeyExchange")
    if traits.authentication == "PSK":
        cursor.vector(2)  # identity hint, RFC 4279 3
    group = dh_bits = None
    if traits.key_exchange == "ECDHE":
        if cursor.number(1) != _NAMED_CURVE:
            return KeyExchange()
        group = cursor.number(2)
        cursor.vector(1)
    else:
        dh_bits = int.from_bytes(cursor.vector(2), "big").bit_length()
        cursor.vector(2)
        cursor.vector(2)
    signed = version == 0x0303 and traits.authentication in ("RSA", "ECDSA", "DSS")
    return KeyExchange(group, dh_bits, cursor.number(2) if signed else None)


def read_ssl2_server_hello(body: bytes) -> tuple[int, tuple[int, ...], tuple[bytes, ...]]:
    """Version, cipher kinds and certificate of an SSL 2.0 SERVER-HELLO. Raises MalformedMessage."""
    cursor = _Cursor(body, "SSL 2.0 SERVER-HELLO")
    if cursor.number(1) != n.SSL2_SERVER_HELLO:
        raise MalformedMessage("an SSL 2.0 message that is no SERVER-HELLO")
    cursor.take(2)  # session id hit, certificate type
    version = cursor.number(2)
    sizes = [cursor.number(2) for _ in range(3)]
    certificate, kinds, _ = (cursor.take(size) for size in sizes)
    if len(kinds) % 3:
        raise MalformedMessage("SSL 2.0 cipher kinds of a broken length")
    found = tuple(int.from_bytes(kinds[i : i + 3], "big") for i in range(0, len(kinds), 3))
    return version, found, (certificate,) if certificate else ()
