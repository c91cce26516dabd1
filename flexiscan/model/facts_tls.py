"""What a TLS server did, connection by connection."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen

TlsVersion = Literal["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

TlsOutcome = Literal[
    "server-hello",
    "hello-retry",
    "alert",
    "closed",  # FIN without an answer
    "reset",
    "timeout",
    "not-tls",
    "connect-reset",
    "connect-icmp",
    "connect-refused",  # a reset or an ICMP error, which this system does not tell apart
    "connect-silence",
]


class TlsHelloSent(Frozen):
    """The ClientHello in figures."""

    version: TlsVersion
    suites: tuple[int, ...]
    groups: tuple[int, ...] = ()
    sni: str | None = None
    size_bytes: int = 0


class TlsReply(Frozen):
    """One ClientHello and the answer to it."""

    kind: Literal["tls-hello"] = "tls-hello"
    hello: TlsHelloSent
    outcome: TlsOutcome
    version: TlsVersion | None = None
    """The version that the server chose."""
    suite: int | None = None
    suites: tuple[int, ...] = ()
    """SSLv2 only: all kinds that the server listed."""
    compression: int | None = None
    extensions: tuple[int, ...] = ()
    alpn: str | None = None
    group: int | None = None
    dh_bits: int | None = None
    signature_scheme: int | None = None
    alert_level: int | None = None
    alert_description: int | None = None
    client_certificate_requested: bool = False
    stapled: bool = False
    chain_der_b64: tuple[str, ...] = ()
    first_bytes_hex: str = ""
    """Kept when the answer was not TLS."""
    elapsed_ms: float = 0.0


class CertificateChain(Frozen):
    """The certificates of one handshake, in the order sent."""

    kind: Literal["certificates"] = "certificates"
    outcome: TlsOutcome | Literal["handshake"]
    detail: str = ""
    sni: str | None = None
    version: TlsVersion | None = None
    suite: str | None = None
    alpn: str | None = None
    chain_der_b64: tuple[str, ...] = ()


class TlsSecondOpinion(Frozen):
    """What the second engine says; None where it did not answer."""

    kind: Literal["tls-second-opinion"] = "tls-second-opinion"
    engine: str
    reached: bool
    detail: str = ""
    highest_version: TlsVersion | None = None
    versions: dict[TlsVersion, bool | None] = {}
    certificate_verified: bool | None = None
    leaf_sha256: str | None = None
    answers: dict[str, bool | str | None] = {}
    """Further yes/no questions by name, e.g. "heartbleed", "robot", "compression"."""
    commands: dict[str, str] = {}
    """Command name to "completed" or the reason why not."""
