"""Hand-made DNS facts and the case around them."""

from __future__ import annotations

from collections.abc import Iterable

from flexiscan.model.facts_dns import DnsRecord, DnsReply
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Case, Judgement, Seen, Subject
from flexiscan.policy.rules.dns import RULES

HOST = "flexi.example.test"
NAME = HOST + "."
V4 = "8.8.4.4"
V6 = "2a00:1450:4001::10"
SERVER = "9.9.9.9#53"
OTHER = "149.112.112.112#53"
SOA = ("example.test.", "SOA", "ns1.example.test. host.example.test. 1 7200 3600 1209600 300")
RULE = {rule.id: rule for rule in RULES}

Row = tuple[str, str, str]


def records(rows: Iterable[Row], ttl: int = 300) -> tuple[DnsRecord, ...]:
    return tuple(DnsRecord(name=name, rdtype=rdtype, ttl=ttl, data=data) for name, rdtype, data in rows)


def reply(
    rdtype: str,
    *rows: Row,
    name: str = NAME,
    rcode: str = "NOERROR",
    flags: tuple[str, ...] = ("qr", "rd", "ra"),
    authority: Iterable[Row] = (),
    server: str = SERVER,
    ttl: int = 300,
) -> DnsReply:
    return DnsReply(
        name=name,
        rdtype=rdtype,
        server=server,
        transport="udp",
        outcome="answer",
        rcode=rcode,
        flags=flags,
        records=records(rows, ttl),
        authority=records(authority),
    )


def none(rdtype: str, *rows: Row, name: str = NAME, server: str = SERVER) -> DnsReply:
    """NODATA with the zone's SOA."""
    return reply(rdtype, *rows, name=name, server=server, authority=[SOA])


def unknown(rdtype: str, *rows: Row, name: str = NAME, server: str = SERVER) -> DnsReply:
    """NXDOMAIN with the zone's SOA."""
    return reply(rdtype, *rows, name=name, server=server, authority=[SOA], rcode="NXDOMAIN")


def lost(rdtype: str, outcome: str = "timeout", *, server: str = SERVER, discarded: int = 0) -> DnsReply:
    return DnsReply(
        name=NAME,
        rdtype=rdtype,
        server=server,
        transport="udp",
        outcome=outcome,
        tries=2,
        discarded=discarded,
    )


def a(address: str = V4, *, server: str = SERVER) -> DnsReply:
    return reply("A", (NAME, "A", address), server=server)


def aaaa(address: str = V6, *, server: str = SERVER) -> DnsReply:
    return reply("AAAA", (NAME, "AAAA", address), server=server)


def case(
    *address: DnsReply,
    alias: Iterable[DnsReply] = (),
    host: str = HOST,
    declared: tuple[str, ...] = (),
    assume_public: tuple[str, ...] = (),
) -> Case:
    target = Target(host=host, addresses=declared)
    scope = Scope(authorisation=Authorisation(authorised_by="test"), targets=(target,), assume_public=assume_public)
    facts = {"address": tuple(_seen("address", address)), "alias": tuple(_seen("alias", alias))}
    return Case(
        subject=Subject(),
        target=target,
        scope=scope,
        profile=load_profile(),
        addresses=(),
        depth="standard",
        now_s=0.0,
        facts=facts,
    )


def _seen(role: str, replies: Iterable[DnsReply]) -> Iterable[Seen]:
    for number, one in enumerate(replies):
        task = Task(id=f"{role}-{number}", probe="dns.lookup", host=HOST, role=role, lane=one.server, gate="dns")
        yield Seen(task, one, 0.0, 1.0)


def judge(rule: str, about: Case) -> Judgement:
    """Judge, and hold the rule to its own list of results."""
    judged = RULE[rule].judge(about)
    assert RULE[rule].results[judged.result] == judged.outcome
    assert judged.because or judged.outcome != "holds"
    return judged
