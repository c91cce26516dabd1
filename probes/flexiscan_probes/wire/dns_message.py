"""DNS queries to bytes and replies from bytes (RFC 1035, RFC 6891); dnspython parses, everything else is ours."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from flexiscan.model.facts_dns import DnsRecord

EDNS_PAYLOAD_BYTES = 1232
"""DNS flag day 2020: fits every path without fragments."""

MAX_MESSAGE_BYTES = 16 * 1024
"""A larger reply is not parsed: 64 KB of hostile names cost a second of CPU, and no address answer needs it."""

MAX_RECORDS = 256
"""Of one section. No address answer comes near."""

HEADER_BYTES = 12
ID_BYTES = 2

HOSTILE_INPUT = (dns.exception.DNSException, OSError, EOFError, ValueError, struct.error)
"""All that dnspython was seen to raise on 60,000 mutated and several hand-made replies."""

# They may come without the question (RFC 1035 4.1.1: a server that cannot read the query cannot repeat it).
_RCODES_WITHOUT_QUESTION = frozenset({dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED})

_EDNS_REFUSALS = frozenset({"FORMERR", "NOTIMP", "BADVERS"})


class DnsWireError(ValueError):
    """Bytes that are not the reply. `reason` tells a reply to somebody else from one that cannot be read."""

    def __init__(self, reason: Literal["not-ours", "unreadable"], detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Question:
    """One question of class IN. `name` is absolute or not, in presentation form, ASCII."""

    name: str
    rdtype: str


@dataclass(frozen=True, slots=True)
class DecodedReply:
    """A reply to our question."""

    rcode: str
    flags: tuple[str, ...]
    """In lower case, e.g. "qr", "aa", "tc", "rd", "ra"."""
    records: tuple[DnsRecord, ...]
    authority: tuple[DnsRecord, ...]
    """SOA and NS only."""
    extended_errors: tuple[int, ...] = ()
    """RFC 8914."""

    @property
    def truncated(self) -> bool:
        """The sender left something out: ask again over TCP."""
        return "tc" in self.flags

    @property
    def refuses_edns(self) -> bool:
        """The server may not understand EDNS (RFC 6891 6.2.2 and 7)."""
        return self.rcode in _EDNS_REFUSALS


def encode_query(question: Question, message_id: int, *, edns: bool = True) -> bytes:
    """A query with recursion desired. Raises DnsWireError("unreadable") when the name cannot be a DNS name."""
    query = dns.message.make_query(
        _name(question),
        dns.rdatatype.from_text(question.rdtype),
        use_edns=0 if edns else False,
        payload=EDNS_PAYLOAD_BYTES,
        id=message_id,
    )
    return query.to_wire()


def decode_reply(wire: bytes, question: Question, message_id: int) -> DecodedReply:
    """The reply to exactly this query. Raises DnsWireError and nothing else, whatever the bytes are."""
    if len(wire) < HEADER_BYTES or int.from_bytes(wire[:ID_BYTES], "big") != message_id:
        raise DnsWireError("not-ours", "other id or no header")
    if len(wire) > MAX_MESSAGE_BYTES:
        raise DnsWireError("unreadable", f"{len(wire)} bytes")
    try:
        return _decode(wire, question)
    except DnsWireError:
        raise
    except HOSTILE_INPUT as error:
        raise DnsWireError("unreadable", type(error).__name__) from error


def _decode(wire: bytes, question: Question) -> DecodedReply:
    # Errors are collected so that the question is checked first, and a reply cut in the middle still says "tc".
    message = dns.message.from_wire(wire, one_rr_per_rrset=True, continue_on_error=True)
    if not isinstance(message, dns.message.QueryMessage) or not message.flags & dns.flags.QR:
        raise DnsWireError("unreadable", "not a reply to a query")
    _check_question(message, question)
    truncated = bool(message.flags & dns.flags.TC)
    if message.errors and not truncated:
        raise DnsWireError("unreadable", type(message.errors[0].exception).__name__)
    return DecodedReply(
        rcode=dns.rcode.to_text(message.rcode()),
        flags=tuple(dns.flags.to_text(message.flags).lower().split()),
        records=() if truncated else tuple(_records(message.answer)),
        authority=() if truncated else tuple(_zone_records(message.authority)),
        extended_errors=tuple(int(one.code) for one in message.options if isinstance(one, dns.edns.EDEOption)),
    )


def _check_question(message: dns.message.QueryMessage, question: Question) -> None:
    if not message.question and not message.errors and message.rcode() in _RCODES_WITHOUT_QUESTION:
        return
    if len(message.question) != 1:
        raise DnsWireError("unreadable" if message.errors else "not-ours", f"{len(message.question)} questions")
    asked = message.question[0]
    same = (
        asked.name == _name(question)
        and asked.rdtype == dns.rdatatype.from_text(question.rdtype)
        and asked.rdclass == dns.rdataclass.IN
    )
    if not same:
        raise DnsWireError("not-ours", "other question")


def _name(question: Question) -> dns.name.Name:
    if not question.name:
        raise DnsWireError("unreadable", "no DNS name: empty")
    try:
        return dns.name.from_text(question.name.encode("ascii").decode("ascii"))
    except (dns.exception.DNSException, ValueError) as error:
        raise DnsWireError("unreadable", f"no DNS name: {question.name!r}") from error


def _records(section: list[dns.rrset.RRset]) -> Iterable[DnsRecord]:
    if len(section) > MAX_RECORDS:
        raise DnsWireError("unreadable", f"{len(section)} records")
    for rrset in section:
        if rrset.rdclass != dns.rdataclass.IN:
            raise DnsWireError("unreadable", "a record of another class")
        yield _record(rrset)


def _zone_records(section: list[dns.rrset.RRset]) -> Iterable[DnsRecord]:
    kept = [rrset for rrset in section if rrset.rdtype in (dns.rdatatype.SOA, dns.rdatatype.NS)]
    return _records(kept)


def _record(rrset: dns.rrset.RRset) -> DnsRecord:
    rdata = rrset[0]
    # The generic form (RFC 3597) of types that nobody here reads: their text form is a risk for nothing.
    known = rrset.rdtype in _READ_TYPES
    return DnsRecord(
        name=rrset.name.to_text().lower(),
        rdtype=dns.rdatatype.to_text(rrset.rdtype),
        ttl=rrset.ttl,
        data=rdata.to_text().lower() if known else rdata.to_generic().to_text(),
    )


_READ_TYPES = frozenset(
    {
        dns.rdatatype.A,
        dns.rdatatype.AAAA,
        dns.rdatatype.CNAME,
        dns.rdatatype.DNAME,
        dns.rdatatype.NS,
        dns.rdatatype.SOA,
    }
)
