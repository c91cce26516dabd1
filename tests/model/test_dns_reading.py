"""What a reply says; the rules' tests hold the finer cases."""

from __future__ import annotations

from typing import Any

import pytest

from flexiscan.model.dns_reading import families_known, read_reply
from flexiscan.model.facts_dns import DnsReply

SOA = {"name": "test.", "rdtype": "SOA", "ttl": 1, "data": "a. b. 1 2 3 4 5"}
NS = {"name": "test.", "rdtype": "NS", "ttl": 1, "data": "ns.test."}
ADDRESS = {"name": "h.test.", "rdtype": "A", "ttl": 1, "data": "192.0.2.1"}
ALIAS = {"name": "h.test.", "rdtype": "CNAME", "ttl": 1, "data": "t.test."}
LOOP = {"name": "t.test.", "rdtype": "CNAME", "ttl": 1, "data": "h.test."}


def reply(rdtype: str = "A", **changes: Any) -> DnsReply:
    plain = {
        "name": "h.test.",
        "rdtype": rdtype,
        "server": "9.9.9.9#53",
        "transport": "udp",
        "outcome": "answer",
        "rcode": "NOERROR",
        "flags": ("qr", "rd", "ra"),
    }
    return DnsReply.model_validate({**plain, **changes})


CASES = [
    (reply(records=[ADDRESS]), "addresses", False),
    (reply(authority=[SOA]), "absent", True),
    (reply(authority=[{**SOA, "name": "x."}, SOA]), "absent", True),
    (reply(), "absent", False),
    (reply(flags=("qr", "aa")), "absent", False),
    (reply(records=[ALIAS]), "absent", False),
    (reply(records=[ALIAS, LOOP]), "absent", True),
    (reply("CNAME", records=[ALIAS]), "alias", False),
    (reply("CNAME", authority=[SOA]), "absent", True),
    (reply(rcode="NXDOMAIN", authority=[SOA]), "name-unknown", True),
    (reply(rcode="NXDOMAIN", records=[ALIAS]), "target-unknown", False),
    (reply(rcode="NXDOMAIN", records=[ADDRESS]), "contradictory", False),
    (reply(rcode="NXDOMAIN", flags=("qr",)), "incomplete", False),
    (reply(flags=("qr",)), "incomplete", False),
    (reply(authority=[NS]), "incomplete", False),
    (reply(records=[{**ADDRESS, "name": "x.test."}]), "incomplete", False),
    (reply(records=[ALIAS], flags=("qr", "aa")), "incomplete", False),
    (reply(flags=("qr", "tc", "ra"), records=[ADDRESS]), "incomplete", False),
    (reply(rcode="SERVFAIL", records=[ADDRESS]), "failed", False),
    (reply(rcode="BADVERS"), "failed", False),
    (reply(extended_errors=(17,), authority=[SOA]), "filtered", False),
    (reply(extended_errors=(15,), records=[ADDRESS]), "filtered", False),
    (reply(outcome="malformed", rcode=None), "garbage", False),
    (reply(outcome="timeout", rcode=None, discarded=1), "garbage", False),
    (reply(outcome="timeout", rcode=None), "silent", False),
    (reply(outcome="port-closed", rcode=None), "silent", False),
    (reply(outcome="closed", rcode=None), "silent", False),
]


@pytest.mark.parametrize(("heard", "kind", "proven"), CASES)
def test_reading(heard: DnsReply, kind: str, proven: bool):
    read = read_reply(heard)
    assert (read.kind, read.proven) == (kind, proven)
    assert read.definite == (kind in ("addresses", "absent", "name-unknown", "target-unknown"))


def test_a_doubtful_family_is_not_known():
    assert families_known("h.test", [reply(), reply("SOA")])["ipv4"]
    assert not families_known("h.test", [reply(), reply("SOA", authority=[SOA])])["ipv4"]


def test_known_families():
    assert families_known("H.test", []) == {"ipv4": False, "ipv6": False}
    assert families_known("H.test", [reply(), reply("AAAA", rcode="SERVFAIL")]) == {"ipv4": True, "ipv6": False}
    assert families_known("h.test", [reply("AAAA", records=[{**ADDRESS, "rdtype": "AAAA", "data": "::1"}])])["ipv6"]
    assert not families_known("h.test", [reply(name="t.test.")])["ipv4"]
    assert not families_known("h.test", [reply(authority=[NS])])["ipv4"]
