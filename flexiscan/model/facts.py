"""What the target did. No verdicts here: a reset is a reset, silence is silence and how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flexiscan.model.base import Frozen
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.facts_raw import IcmpCapture, SynProbe
from flexiscan.model.facts_sources import OwnSourcesUse
from flexiscan.model.facts_sweep import TcpReply, TcpSweep
from flexiscan.model.facts_tls import CertificateChain, TlsReply, TlsSecondOpinion
from flexiscan.model.facts_witness import WitnessExchange
from flexiscan.model.icmp import IcmpError

MAX_DATA_HEX_BYTES = 512
"""How much of an answer is kept as evidence in a port fact."""


class TcpExchange(Frozen):
    """One TCP connection attempt and at most one question over it."""

    kind: Literal["tcp"] = "tcp"
    connect: Literal["accepted", "reset", "icmp", "silence", "refused"]
    """"refused": a reset or an ICMP error, seen from a system that does not tell them apart."""
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
    inside_tls: bool = False
    """Whether the question was put inside TLS; "not-asked" then means that TLS was not agreed."""


class UdpExchange(Frozen):
    """One bounded datagram exchange with a single port."""

    kind: Literal["udp"] = "udp"
    reply: Literal["data", "icmp", "silence", "refused"]
    """"refused": port unreachable, seen from a system that does not tell who said so."""
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
    tcp_ports: tuple[int, ...] = ()
    """TCP ports of the same machine that the answer names (SQL Server Browser): a claim, to be looked at."""


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
    reply: Literal["data", "icmp", "silence", "refused"]
    icmp: IcmpError | None = None


class PathHop(Frozen):
    """What a SYN to a port that is known to accept met when it could travel only so far."""

    hop_limit: int
    answer: Literal["accepted", "reset", "icmp", "silence", "refused"]
    icmp: IcmpError | None = None


class TcpPath(Frozen):
    """The way to an accepting port, hop by hop, and how its SYN-ACK arrives: no privilege needed."""

    kind: Literal["tcp-path"] = "tcp-path"
    port: int
    hops: tuple[PathHop, ...] = ()
    """By ascending hop limit, up to the first that reached the server."""
    reply_hop_limit: int | None = None
    """TTL or hop limit of the server's SYN-ACK as it arrived; None when it could not be pinned down."""


class PathGuide(PathHop):
    """The same as a control beside datagrams with that hop limit: one SYN, and another while nothing answered."""

    tries: int = 1
    """1: the router spoke at once, so it had an allowance left for whatever came to it just before."""


class PathTrial(Frozen):
    """One batch of datagrams that could travel only so far, after a pause in which routers regain their allowance.

    Ports of interest and canaries in turn, a canary first: what starves one kind of answers starves the other.
    """

    hop_limit: int
    ports: tuple[int, ...] = ()
    canaries: tuple[int, ...] = ()
    """Ports that nobody uses."""
    icmp: tuple[IcmpTally, ...] = ()
    guide: PathGuide
    """Begun right after the last datagram."""


class UdpPath(Frozen):
    """How far datagrams to ports of interest come on their way, beside canaries and a TCP port that accepts."""

    kind: Literal["udp-path"] = "udp-path"
    trials: tuple[PathTrial, ...] = ()
    confirming: tuple[PathTrial, ...] = ()
    """Batches of the ports that came through while no canary did, with as many canaries, new ones each time."""
    guides: tuple[PathGuide, ...] = ()
    """Controls before each of the trials; every trial ends with one of its own."""
    way: tuple[PathTrial, ...] = ()
    """Batches that end at the speaking router before that one: how far the datagrams come at least."""


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
    stopped: Literal["", "media-seen", "send-refused", "decided", "out-of-time"] = ""
    """"decided": what comes through was seen, and for long enough. "out-of-time": before all was asked."""
    decided_after_s: float | None = None
    """From the first datagram to the first answer of the server itself about a port of the range."""
    waited_s: float = 0.0
    sent_by_second: tuple[int, ...] = ()
    """Datagrams with a full hop limit, second by second since the first one."""
    errors_by_second: tuple[int, ...] = ()
    """ICMP errors that came back in the same seconds: a constant beside a rising number sent is an ICMP limit."""
    near_hop_limit: int | None = None
    """The hop limit of those datagrams that were to end at the last router in front of the server; None: none were."""
    near_asked: int = 0
    """Ports of the range that such a datagram was sent to in every near pass."""
    near_passes: int = 0
    near_expired: tuple[IcmpTally, ...] = ()
    """Time exceeded about such datagrams, canaries included: they came as far as the router that says so."""
    near_trials: tuple[PathTrial, ...] = ()
    """Batches of such datagrams to ports of the range and to canaries, before the near passes and after them."""
    near_confirming: tuple[PathTrial, ...] = ()
    """Batches of ports that came through while no canary did, with as many canaries, new ones each time."""
    near_guides: tuple[PathGuide, ...] = ()
    """Controls within and after the near passes."""
    way_before: tuple[PathTrial, ...] = ()
    """Batches that end at the speaking router before that one, sent before the near passes."""
    way_after: tuple[PathTrial, ...] = ()
    """The same after them."""
    refused_ports: tuple[int, ...] = ()
    """Ports with an error that this system tells neither the kind nor the sender of."""
    own_sources: OwnSourcesUse | None = None
    """The prefix that datagrams may have left from; None: no prefix was given."""


class VoiceStream(Frozen):
    """RTP packets of one source and payload type: counts and header facts, never content."""

    ssrc: int
    payload_type: int
    packets: int
    rising: int
    """Steps from one packet to the next with a sequence number a little higher."""
    mean_gap_ms: float | None = None
    """Between two packets; None with fewer than two. A mean, because a busy scanner may get several at once."""


class BleedTrial(Frozen):
    """A few voice packets to a media port of an agreed test call, and what came back from that port."""

    kind: Literal["rtp-bleed"] = "rtp-bleed"
    sent: int
    ssrc: int
    """Source of the packets that were sent."""
    waited_s: float
    streams: tuple[VoiceStream, ...] = ()
    rtcp_packets: int = 0
    other_packets: int = 0
    """Datagrams from the port that are neither RTP nor RTCP, our own ones coming back among them."""
    icmp: IcmpError | None = None
    stopped: Literal["", "enough-heard"] = ""


HttpOutcome = Literal[
    "response",  # a status line and headers arrived
    "connect-reset",
    "connect-icmp",
    "connect-refused",  # a reset or an ICMP error, which this system does not tell apart
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
    | BleedTrial
    | TcpSweep
    | TcpReply
    | TcpPath
    | UdpPath
    | HttpExchange
    | DnsReply
    | TlsReply
    | CertificateChain
    | TlsSecondOpinion
    | FamilyReach
    | WitnessExchange
    | SynProbe
    | IcmpCapture,
    Field(discriminator="kind"),
]
