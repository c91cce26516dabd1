"""What the configured resolvers answer, and whether somebody changes the answers on the way."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from typing import Final, Literal

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

TIMEOUT_S: Final = 4.0
DNS64_NAME: Final = "ipv4only.arpa."
"""Has no AAAA record of its own (RFC 7050 section 3)."""

State = Literal["ok", "limited", "failed"]
Told = tuple[str, State, str, str, str]
"""Name, state, seen, means, next step: as flexiscan.api.doctor.Check."""
NEXT = "name others: --resolver ADDR"


async def check_resolvers(resolvers: tuple[str, ...], now: dt.datetime) -> list[Told]:
    """Ask each resolver four questions."""
    if not resolvers:
        return [("resolver", "failed", "none is configured", "no name can be looked up", NEXT)]
    told: list[Told] = []
    for lines in await asyncio.gather(*(_check(resolver, now) for resolver in resolvers)):
        told += lines
    return told


async def _check(resolver: str, now: dt.datetime) -> list[Told]:
    name = f"resolver {resolver}"
    root = await _ask(resolver, ".", dns.rdatatype.SOA)
    if root is None or root.rcode() != dns.rcode.NOERROR or not root.answer:
        seen = "no answer" if root is None else f"{dns.rcode.to_text(root.rcode())}, without the root's own record"
        return [(name, "failed", seen, "what it does not answer makes the dns rules inconclusive", NEXT)]
    validates = "validates" if root.flags & dns.flags.AD else "does not say that it validates"
    told: list[Told] = [(name, "ok", f"answers, {validates}", "", "")]
    return [*told, *_signature_times(root, now), await _invalid(resolver), await _dns64(resolver)]


def _signature_times(root: dns.message.Message, now: dt.datetime) -> list[Told]:
    """The root's signatures are renewed every few days: a clock outside their time is wrong."""
    signatures = [record for rrset in root.answer if rrset.rdtype == dns.rdatatype.RRSIG for record in rrset]
    if not signatures:
        return []
    unix_s = now.timestamp()
    if any(record.inception <= unix_s <= record.expiration for record in signatures):
        return [("clock", "ok", "within the time of the root's DNSSEC signature", "", "")]
    means = "verdicts about certificates and signatures would be wrong"
    return [("clock", "failed", "outside the time of the root's DNSSEC signature", means, "set the clock")]


async def _invalid(resolver: str) -> Told:
    """Names under .invalid do not exist (RFC 6761 6.4): an answer is made up on the way."""
    made_up = await _ask(resolver, f"{secrets.token_hex(6)}.invalid.", dns.rdatatype.A)
    if made_up is None:
        return ("DNS interception", "limited", "no answer about a name that cannot exist", "not known", NEXT)
    if made_up.rcode() == dns.rcode.NXDOMAIN and not made_up.answer:
        return ("DNS interception", "ok", "a name that cannot exist does not", "", "")
    means = "answers are changed on the way: every dns verdict from here is doubtful"
    return ("DNS interception", "failed", "a name that cannot exist was answered", means, NEXT)


async def _dns64(resolver: str) -> Told:
    answer = await _ask(resolver, DNS64_NAME, dns.rdatatype.AAAA)
    if answer is None:
        return ("NAT64", "limited", f"no answer about {DNS64_NAME}", "not known", NEXT)
    found = [str(record) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.AAAA for record in rrset]
    if not found:
        return ("NAT64", "ok", "IPv6 addresses are not made up from IPv4 ones", "", "")
    means = "a name without IPv6 would seem to have it, and IPv6 packets end at a translator"
    return ("NAT64", "failed", f"DNS64 is on: {found[0]}", means, "scan from a network with IPv4 and IPv6 of its own")


async def _ask(resolver: str, name: str, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
    address, _, port = resolver.rpartition("#")
    query = dns.message.make_query(name, kind, want_dnssec=True)
    try:
        message, _ = await dns.asyncquery.udp_with_fallback(
            query, address.strip("[]"), port=int(port), timeout=TIMEOUT_S
        )
    except (dns.exception.DNSException, OSError, EOFError):
        return None
    return message
