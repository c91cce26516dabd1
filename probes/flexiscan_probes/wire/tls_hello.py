"""Writes ClientHello messages from SSL 2.0 to TLS 1.3. No I/O and no cryptography.

A TLS 1.3 hello may carry an empty key share list: the server then names the group it wants in a HelloRetryRequest
(RFC 8446 4.2.8), so nothing has to be computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flexiscan_probes.wire import tls_numbers as n

_RANDOM_BYTES: Final = 32
_CHALLENGE_BYTES: Final = 16
_MAX_NAME_BYTES: Final = 255  # RFC 1035 2.3.4

# Handshake sizes from 256 to 511 make an F5 firmware hang (RFC 7685 1).
_HANGING_SIZES: Final = range(256, 512)
# Sizes with these remainders of 256 are read wrongly by old load balancers (whether the four bytes of the
# handshake header count differs, so both readings are avoided).
_UNLUCKY_REMAINDERS: Final = frozenset({10, 14, 18})


class HelloError(ValueError):
    """A hello that cannot be written: too many suites, a name that does not fit, random bytes of a wrong length."""


@dataclass(frozen=True, slots=True)
class KeyShare:
    """A public key for a group, as bytes on the wire (RFC 8446 4.2.8)."""

    group: int
    key: bytes


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a ClientHello of SSL 3.0 to TLS 1.3 says.

    `version` is the highest version offered, as its number. `supported_versions` (TLS 1.3) and `extended` (any
    extension at all) follow from it unless set. `random` is 32 bytes; `session_id` up to 32.
    """

    version: int
    suites: tuple[int, ...]
    random: bytes
    server_name: str | None = None
    groups: tuple[int, ...] = ()
    supported_versions: tuple[int, ...] = ()
    key_shares: tuple[KeyShare, ...] | None = None
    signature_schemes: tuple[int, ...] = n.SIGNATURE_SCHEMES
    alpn: tuple[str, ...] = ()
    session_id: bytes = b""
    compressions: tuple[int, ...] = (0,)
    extended: bool = True
    ask_status: bool = False


def write_client_hello(hello: ClientHello) -> bytes:
    """The hello as one record, padded away from sizes that break servers. Raises HelloError."""
    _check(hello)
    legacy = min(hello.version, 0x0303)
    head = legacy.to_bytes(2, "big") + hello.random + _vector(1, hello.session_id)
    head += _vector(2, _numbers(hello.suites)) + _vector(1, bytes(hello.compressions))
    body = head
    if hello.extended:
        extensions = _extensions(hello)
        body = head + _vector(2, _padded(extensions, 4 + len(head) + 2))
    handshake = bytes([n.CLIENT_HELLO]) + _vector(3, body)
    record_version = min(hello.version, 0x0301)  # RFC 8446 5.1: 0x0301 in the record of a first hello
    return bytes([n.HANDSHAKE]) + record_version.to_bytes(2, "big") + _vector(2, handshake)


def write_ssl2_hello(challenge: bytes, kinds: tuple[int, ...] = n.SSL2_KINDS) -> bytes:
    """An SSL 2.0 CLIENT-HELLO with 3-byte cipher kinds and a 16-byte challenge. Raises HelloError."""
    if len(challenge) != _CHALLENGE_BYTES:
        raise HelloError(f"challenge of {len(challenge)} bytes, must be {_CHALLENGE_BYTES}")
    if not 0 < len(kinds) <= n.MAX_SUITES_PER_HELLO:
        raise HelloError(f"{len(kinds)} cipher kinds in one hello")
    specs = b"".join(kind.to_bytes(3, "big") for kind in kinds)
    body = bytes([n.SSL2_CLIENT_HELLO, 0, 2]) + len(specs).to_bytes(2, "big") + b"\0\0"
    body += len(challenge).to_bytes(2, "big") + specs + challenge
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def _check(hello: ClientHello) -> None:
    if not 0 < len(hello.suites) <= n.MAX_SUITES_PER_HELLO:
        raise HelloError(f"{len(hello.suites)} suites in one hello, at most {n.MAX_SUITES_PER_HELLO}")
    if len(hello.random) != _RANDOM_BYTES:
        raise HelloError(f"random of {len(hello.random)} bytes, must be {_RANDOM_BYTES}")
    if len(hello.session_id) > 32:
        raise HelloError("session id longer than 32 bytes")
    if not 0x0300 <= hello.version <= 0x0304:
        raise HelloError(f"version 0x{hello.version:04x} has no ClientHello of this form")


def _extensions(hello: ClientHello) -> bytes:
    parts: list[tuple[int, bytes]] = []
    if hello.server_name is not None:
        parts.append((n.EXT_SERVER_NAME, _server_name(hello.server_name)))
    if hello.groups:
        parts.append((n.EXT_GROUPS, _vector(2, _numbers(hello.groups))))
        parts.append((n.EXT_POINT_FORMATS, b"\x01\x00"))
    parts += [(n.EXT_MASTER_SECRET, b""), (n.EXT_RENEGOTIATION, b"\x00"), (n.EXT_TICKET, b"")]
    if hello.ask_status:
        parts.append((n.EXT_STATUS_REQUEST, b"\x01\x00\x00\x00\x00"))  # OCSP, no responder, no extension
        parts.append((n.EXT_SCT, b""))
    if hello.alpn:
        parts.append((n.EXT_ALPN, _vector(2, b"".join(_vector(1, p.encode("ascii")) for p in hello.alpn))))
    if hello.version >= 0x0303 and hello.signature_schemes:
        parts.append((n.EXT_SIGNATURES, _vector(2, _numbers(hello.signature_schemes))))
    parts += _tls13_extensions(hello)
    return b"".join(kind.to_bytes(2, "big") + _vector(2, value) for kind, value in parts)


def _tls13_extensions(hello: ClientHello) -> list[tuple[int, bytes]]:
    versions = hello.supported_versions or ((hello.version,) if hello.version == 0x0304 else ())
    parts: list[tuple[int, bytes]] = []
    if versions:
        parts.append((n.EXT_VERSIONS, _vector(1, _numbers(versions))))
    if 0x0304 in versions:
        shares = b"".join(s.group.to_bytes(2, "big") + _vector(2, s.key) for s in hello.key_shares or ())
        parts.append((n.EXT_KEY_SHARE, _vector(2, shares)))
    return parts


def _server_name(name: str) -> bytes:
    """The body of a server_name extension (RFC 6066 3): host_name, A-label form, no trailing dot."""
    try:
        encoded = name.rstrip(".").encode("ascii")
    except UnicodeEncodeError as error:
        raise HelloError("server name is not ASCII; give it in its A-label form") from error
    if not 0 < len(encoded) <= _MAX_NAME_BYTES:
        raise HelloError(f"server name of {len(encoded)} bytes")
    return _vector(2, b"\x00" + _vector(2, encoded))


def _padded(extensions: bytes, size_before: int) -> bytes:
    """The extensions, with a padding extension (RFC 7685) where the handshake would have an unlucky size."""
    size = size_before + len(extensions)
    if size in _HANGING_SIZES:
        filler = max(512 - size - 4, 0)
    elif size % 256 in _UNLUCKY_REMAINDERS:
        filler = 8
    else:
        return extensions
    return extensions + n.EXT_PADDING.to_bytes(2, "big") + _vector(2, bytes(filler))


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _vector(length_bytes: int, content: bytes) -> bytes:
    """Content with its length in front (RFC 8446 3.4)."""
    return len(content).to_bytes(length_bytes, "big") + content
