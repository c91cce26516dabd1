"""The presence rules against servers that answer something else: nothing of it may pass, or fail, for an answer."""

from __future__ import annotations

import pytest

from flexiscan.model.facts_dns import DnsReply
from tests.policy.dns_cases import NAME, OTHER, SOA, V4, V6, a, aaaa, case, judge, lost, none, reply, unknown

CDN = "edge.cdn.test."


def outcome(rule: str, *replies: DnsReply, **options: object) -> tuple[str, str]:
    judged = judge(rule, case(*replies, **options))  # type: ignore[arg-type]
    return judged.outcome, judged.result


CONTROLS = {
    "in the authority section": reply("SOA", authority=[SOA]),
    "in the answer": reply("SOA", (NAME, "SOA", "x. y. 1 2 3 4 5")),
}


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
def test_a_resolver_that_strips_aaaa_but_gives_the_zone_otherwise_is_not_believed(control: DnsReply):
    replies = [a(), reply("AAAA"), control]
    assert outcome("dns.ipv6-present", *replies) == ("cannot-tell", "absence-doubtful")
    assert outcome("dns.ipv4-present", *replies) == ("holds", "present")
    assert outcome("dns.addresses-public", *replies) == ("cannot-tell", "absence-doubtful")
    assert outcome("dns.alias-sound", *replies) == ("cannot-tell", "absence-doubtful")


def test_an_nxdomain_without_the_zone_from_a_resolver_that_gives_it_otherwise_is_not_believed():
    replies = [reply("A", rcode="NXDOMAIN"), reply("AAAA", rcode="NXDOMAIN"), reply("SOA", authority=[SOA])]
    assert outcome("dns.ipv4-present", *replies) == ("cannot-tell", "absence-doubtful")


NO_CONTROLS = {
    "no zone either": reply("SOA"),
    "another zone": reply("SOA", authority=[("other.test.", "SOA", "x. y. 1 2 3 4 5")]),
    "another server": reply("SOA", authority=[SOA], server=OTHER),
    "another name": reply("SOA", authority=[SOA], name="www.example.test."),
    "silence": lost("SOA"),
}


@pytest.mark.parametrize("control", NO_CONTROLS.values(), ids=NO_CONTROLS)
def test_a_resolver_that_never_gives_the_zone_is_believed_tentatively(control: DnsReply):
    judged = judge("dns.ipv6-present", case(a(), reply("AAAA"), control))
    assert (judged.outcome, judged.result, judged.confidence) == ("violated", "absent", "tentative")


def test_a_doubtful_absence_beside_a_proven_one_is_absent():
    replies = [a(), reply("AAAA"), reply("SOA", authority=[SOA]), none("AAAA", server=OTHER)]
    assert outcome("dns.ipv6-present", *replies) == ("violated", "absent")


@pytest.mark.parametrize("code", [4, 15, 16, 17])
def test_a_resolver_that_says_it_filters_is_not_believed_either_way(code: int):
    hidden = none("AAAA").model_copy(update={"extended_errors": (code,)})
    forged = a().model_copy(update={"extended_errors": (code,)})
    assert outcome("dns.ipv6-present", a(), hidden) == ("cannot-tell", "resolver-filters")
    assert outcome("dns.ipv4-present", forged, aaaa()) == ("cannot-tell", "resolver-filters")
    assert outcome("dns.addresses-public", forged, aaaa()) == ("cannot-tell", "resolver-filters")


def test_other_extended_errors_change_nothing():
    stale = a().model_copy(update={"extended_errors": (3,)})
    assert outcome("dns.ipv4-present", stale) == ("holds", "present")


def test_records_of_another_name_do_not_count():
    other = reply("A", ("other.test.", "A", V4))
    assert outcome("dns.ipv4-present", other) == ("cannot-tell", "answer-incomplete")


def test_an_alias_of_another_name_does_not_lead_anywhere():
    rows = [("other.test.", "CNAME", CDN), (CDN, "A", V4)]
    assert outcome("dns.ipv4-present", reply("A", *rows)) == ("cannot-tell", "answer-incomplete")


def test_case_does_not_matter():
    rows = [(NAME.upper(), "CNAME", "EDGE.cdn.TEST."), (CDN, "A", V4)]
    assert outcome("dns.ipv4-present", reply("A", *rows)) == ("holds", "present")


def test_the_order_of_the_records_does_not_matter():
    rows = [(CDN, "A", V4), ("mid.test.", "CNAME", CDN), (NAME, "CNAME", "mid.test.")]
    assert outcome("dns.ipv4-present", reply("A", *rows)) == ("holds", "present")


def test_a_ttl_of_zero_is_an_answer():
    assert outcome("dns.ipv4-present", reply("A", (NAME, "A", V4), ttl=0)) == ("holds", "present")


def test_the_other_family_in_the_answer_does_not_count():
    assert outcome("dns.ipv6-present", reply("AAAA", (NAME, "A", V4))) == ("cannot-tell", "answer-incomplete")


def test_a_referral_is_no_absence():
    referral = reply("AAAA", authority=[("test.", "NS", "ns.test.")])
    assert outcome("dns.ipv6-present", referral) == ("cannot-tell", "answer-incomplete")


def test_a_soa_of_somebody_else_is_no_absence():
    elsewhere = reply("AAAA", authority=[("other.test.", "SOA", "x. y. 1 2 3 4 5")])
    assert outcome("dns.ipv6-present", elsewhere) == ("cannot-tell", "answer-incomplete")
    look_alike = reply("AAAA", authority=[("xample.test.", "SOA", "x. y. 1 2 3 4 5")])
    assert outcome("dns.ipv6-present", look_alike) == ("cannot-tell", "answer-incomplete")


def test_a_root_soa_is_an_absence():
    above = reply("AAAA", authority=[(".", "SOA", "x. y. 1 2 3 4 5")])
    assert outcome("dns.ipv6-present", above) == ("violated", "absent")


def test_nxdomain_of_a_server_that_is_neither_authority_nor_resolver():
    denied = reply("A", rcode="NXDOMAIN", flags=("qr", "rd"))
    assert outcome("dns.ipv4-present", denied) == ("cannot-tell", "answer-incomplete")


def test_an_alias_that_an_authority_did_not_follow_is_no_absence():
    half = reply("A", (NAME, "CNAME", CDN), flags=("qr", "aa"))
    assert outcome("dns.ipv4-present", half) == ("cannot-tell", "answer-incomplete")


def test_an_alias_that_a_resolver_followed_to_nothing_is_an_absence():
    assert outcome("dns.ipv6-present", reply("AAAA", (NAME, "CNAME", CDN)), a()) == ("violated", "absent")


def test_an_alias_to_nowhere_is_an_absence_and_not_an_unknown_name():
    dangling = unknown("A", (NAME, "CNAME", "gone.example.test."))
    assert outcome("dns.ipv4-present", dangling) == ("violated", "absent")


def test_a_dname_without_its_alias_is_no_absence():
    dname = reply("A", ("example.test.", "DNAME", "other.test."))
    assert outcome("dns.ipv4-present", dname) == ("cannot-tell", "answer-incomplete")


def test_a_dname_with_its_alias_is_followed():
    rows = [
        ("example.test.", "DNAME", "other.test."),
        (NAME, "CNAME", "flexi.other.test."),
        ("flexi.other.test.", "A", V4),
    ]
    assert outcome("dns.ipv4-present", reply("A", *rows)) == ("holds", "present")


def test_a_truncated_answer_is_none():
    cut = reply("A", flags=("qr", "tc", "rd", "ra"))
    assert outcome("dns.ipv4-present", cut) == ("cannot-tell", "answer-incomplete")


def test_an_absence_is_not_believed_when_the_end_of_the_chain_has_addresses():
    stripped = [reply("AAAA"), reply("A", (NAME, "CNAME", CDN), (CDN, "A", V4))]
    follow = [
        reply("CNAME", (NAME, "CNAME", CDN)),
        reply("AAAA", (CDN, "AAAA", V6), name=CDN),
    ]
    assert outcome("dns.ipv6-present", *stripped) == ("violated", "absent")
    assert outcome("dns.ipv6-present", *stripped, alias=follow) == ("cannot-tell", "answer-incomplete")


def test_addresses_of_a_name_that_the_chain_does_not_reach_change_nothing():
    follow = [reply("AAAA", ("other.test.", "AAAA", V6), name="other.test.")]
    assert outcome("dns.ipv6-present", none("AAAA"), a(), alias=follow) == ("violated", "absent")
