"""What a name server said."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen


class DnsRecord(Frozen):
    """One resource record in presentation form, names absolute and in lower case."""

    name: str
    rdtype: str
    ttl: int
    data: str


class DnsReply(Frozen):
    """One question put to one server, and its answer."""

    kind: Literal["dns"] = "dns"
    name: str
    rdtype: str
    server: str
    """ADDR#PORT"""
    transport: Literal["udp", "tcp"]
    outcome: Literal["answer", "timeout", "port-closed", "malformed", "closed"]
    tries: int = 1
    rcode: str | None = None
    flags: tuple[str, ...] = ()
    records: tuple[DnsRecord, ...] = ()
    """The answer section, in order (an alias chain first)."""
    authority: tuple[DnsRecord, ...] = ()
    extended_errors: tuple[int, ...] = ()
    """Codes of extended DNS errors (RFC 8914)."""
    discarded: int = 0
    """Datagrams that were not the answer to our question (wrong id, question or sender)."""
    elapsed_ms: float = 0.0
