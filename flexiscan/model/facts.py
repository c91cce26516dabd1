"""What the target did. No verdicts here: a reset is a reset, silence is silence and how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flexiscan.model.base import Frozen
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.facts_tls import CertificateChain, TlsReply, TlsSecondOpinion
from flexiscan.model.icmp import IcmpError

MAX_DATA_HEX_BYTES = 512
"""How much of an answer is kept as evidence in a port fact."""


class TcpExchange(Frozen):
    """One TCP connection attempt and at most one question over it."""

    kind: Literal["tcp"] = "tcp"
    connect: Literal["accepted", "reset", "icmp", "silence"]
    icmp: IcmpError | None = None
    attempts: int = 1
    waited_s: float = 0.0
    """How long silence was listened to, or how long the answer took."""
    request_hex: str = ""
    reply: Literal["not-asked", "data", "closed", "reset", "silence"] = "not-asked"
    data_hex: str = ""
    data_size: int = 0
    service: str | None = None
    """Name of the protocol that the answer proves, e.g. "sip", "giop", "http"; None when nothing is proven."""


class UdpExchange(Frozen):
    """One bounded datagram exchange with a single port."""

    kind: Literal["udp"] = "udp"
    reply: Literal["data", "icmp", "silence"]
    icmp: IcmpError | None = None
    tries: int = 1
    waited_s: float = 0.0
    request_hex: str = ""
    data_hex: str = ""
    data_size: int = 0
    service: str | None = None
    replied_from_port: int | None = None
    alien_replies: int = 0
    """Datagrams that came from another address: evidence, never an answer."""


class IcmpTally(Frozen):
    """ICMP errors of one kind and sender, with the ports that they spoke of."""

    icmp: IcmpError
    ports: tuple[int, ...]


class MediaSeen(Frozen):
    """Inbound media from one port: counts and header facts, never payload."""

    port: int
    packets: int
    payload_type: int | None = None
    ssrc: int | None = None


class SweepPort(Frozen):
    """What one port outside the range did: the comparison for silence inside it."""

    port: int
    reply: Literal["data", "icmp", "silence"]
    icmp: IcmpError | None = None


class RtpSweep(Frozen):
    """A paced sweep over (a sample of) a UDP range at one address."""

    kind: Literal["rtp-sweep"] = "rtp-sweep"
    first_port: int
    last_port: int
    seed: int
    passes: int
    payload_hex: str
    ports_asked: int
    """Distinct ports of the range that got at least one datagram."""
    datagrams: int
    silent: int
    icmp: tuple[IcmpTally, ...] = ()
    data_ports: tuple[int, ...] = ()
    media: tuple[MediaSeen, ...] = ()
    canaries: tuple[SweepPort, ...] = ()
    canaries_after: tuple[SweepPort, ...] = ()
    """Those canaries that answered before the sweep, asked again after it."""
    stopped: Literal["", "media-seen", "send-refused"] = ""
    waited_s: float = 0.0


HttpOutcome = Literal[
    "response",  # a status line and headers arrived
    "connect-reset",
    "connect-icmp",
    "connect-silence",
    "tls-alert",
    "tls-failed",  # TLS could not be agreed for another reason (detail says which)
    "reset",  # after the request
    "closed",  # after the request, without a single byte
    "timeout",  # after the request
    "http09",  # a body without a status line
    "not-http",
]


class HttpExchange(Frozen):
    """One HTTP request and what came back, on one connection."""

    kind: Literal["http"] = "http"
    scheme: Literal["http", "https"]
    method: str
    target: str
    """Request target, bytes as latin-1."""
    host: str
    """Value of the Host header."""
    sni: str | None = None
    request_version: Literal["HTTP/1.0", "HTTP/1.1", "HTTP/2"] = "HTTP/1.1"
    request_head: str = ""
    """The bytes sent, as latin-1, for evidence."""
    outcome: HttpOutcome
    detail: str = ""
    version: str | None = None
    status: int | None = None
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """In order, duplicates kept, original case, latin-1."""
    body_text: str = ""
    """Decoded beginning of the body, capped."""
    body_size: int = 0
    body_sha256: str = ""
    body_truncated: bool = False
    elapsed_ms: float = 0.0

    def header_values(self, name: str) -> tuple[str, ...]:
        """All values of a header, in order, the name compared without case."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)


class FamilyReach(Frozen):
    """Whether this machine has an address and a route for a family (no packet is sent to find out)."""

    kind: Literal["family-reach"] = "family-reach"
    family: Literal["ipv4", "ipv6"]
    usable: bool
    source_address: str | None = None


Fact = Annotated[
    TcpExchange
    | UdpExchange
    | RtpSweep
    | HttpExchange
    | DnsReply
    | TlsReply
    | CertificateChain
    | TlsSecondOpinion
    | FamilyReach,
    Field(discriminator="kind"),
]
