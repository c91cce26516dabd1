"""What the lab's DNS answers, without a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_lab.dns_server import Responder
from flexiscan_lab.scenario import DnsPicture, DnsRecord
from flexiscan_lab.scenarios import ALL

SOUND = ALL["hardened"].dns


def ask(picture: DnsPicture, name: str, kind: str, limit_bytes: int | None = 512) -> dns.message.Message:
    wire = Responder(picture).respond(dns.message.make_query(name, kind, use_edns=True).to_wire(), limit_bytes)
    assert wire is not None
    return dns.message.from_wire(wire)


@pytest.mark.parametrize(("kind", "address"), [("A", "192.0.2.10"), ("AAAA", "2001:db8:2::10")])
def test_addresses(kind: str, address: str) -> None:
    response = ask(SOUND, "flexi.example.test", kind)
    assert [str(rdata) for rdata in response.answer[0]] == [address]
    assert response.flags & dns.flags.RA


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("flexi.example.test", "TXT", dns.rcode.NOERROR),
        ("2.0.192.in-addr.arpa", "PTR", dns.rcode.NOERROR),
        ("nothing.example.test", "A", dns.rcode.NXDOMAIN),
        ("elsewhere.invalid", "A", dns.rcode.NXDOMAIN),
    ],
)
def test_nothing_is_said_with_a_start_of_authority(name: str, kind: str, rcode: dns.rcode.Rcode) -> None:
    response = ask(SOUND, name, kind)
    assert response.rcode() == rcode
    assert not response.answer
    assert response.authority[0].rdtype.name == "SOA"


def test_aliases_are_followed_and_loops_end() -> None:
    found = ask(ALL["name_is_an_alias"].dns, "flexi.example.test", "AAAA")
    assert [rrset.rdtype.name for rrset in found.answer] == ["CNAME", "AAAA"]
    gone = ask(ALL["alias_leads_nowhere"].dns, "flexi.example.test", "A")
    assert (gone.rcode(), gone.answer[0].rdtype.name) == (dns.rcode.NXDOMAIN, "CNAME")
    assert ask(ALL["alias_loop"].dns, "flexi.example.test", "A").answer


def test_hostile_names_are_answered() -> None:
    found = ask(ALL["hostile_headers"].dns, "flexi.example.test", "A")
    assert b"<b>x\x1b[2J=1+1" in found.answer[0][0].target.labels


@pytest.mark.parametrize(("fault", "rcode"), [("servfail", dns.rcode.SERVFAIL), ("refused", dns.rcode.REFUSED)])
def test_failures(fault: Any, rcode: dns.rcode.Rcode) -> None:
    response = ask(replace(SOUND, fault=fault), "flexi.example.test", "A")
    assert response.rcode() == rcode
    assert not response.answer


def test_truncation_is_for_datagrams_only() -> None:
    picture = replace(SOUND, fault="truncated-udp")
    assert ask(picture, "flexi.example.test", "A").flags & dns.flags.TC
    assert ask(picture, "flexi.example.test", "A", None).answer


def test_long_answers_are_truncated_over_datagrams() -> None:
    many = tuple(DnsRecord("flexi.example.test", "TXT", f'"{number:0200d}"') for number in range(20))
    response = ask(DnsPicture(many), "flexi.example.test", "TXT")
    assert response.flags & dns.flags.TC
    assert not response.answer
    assert len(ask(DnsPicture(many), "flexi.example.test", "TXT", None).answer[0]) == 20


def test_silence_and_garbage() -> None:
    query = dns.message.make_query("flexi.example.test", "AAAA").to_wire()
    assert Responder(replace(SOUND, fault="silent")).respond(query, 512) is None
    assert Responder(replace(SOUND, silent_kinds=("AAAA",))).respond(query, 512) is None
    assert ask(replace(SOUND, silent_kinds=("AAAA",)), "flexi.example.test", "A").answer
    garbage = Responder(replace(SOUND, fault="garbage")).respond(query, 512)
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(garbage or b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_ignored(data: bytes) -> None:
    answer = RESPONDER.respond(data, 512)
    assert answer is None or len(answer) >= 12


RESPONDER = Responder(SOUND)
