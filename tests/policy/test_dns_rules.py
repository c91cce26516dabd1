"""The DNS rules about addresses: each result, and what a server may do to fool them."""

from __future__ import annotations

import pytest

from flexiscan.model.facts_dns import DnsReply
from flexiscan.policy.rules.dns import RULES
from tests.policy.dns_cases import (
    HOST,
    NAME,
    OTHER,
    RULE,
    SERVER,
    V4,
    V6,
    a,
    aaaa,
    case,
    judge,
    lost,
    none,
    reply,
    unknown,
)

PRESENCE = ["dns.ipv4-present", "dns.ipv6-present"]
EVERY = [rule.id for rule in RULES]


def outcome(rule: str, *replies: DnsReply, **options: object) -> tuple[str, str]:
    judged = judge(rule, case(*replies, **options))  # type: ignore[arg-type]
    return judged.outcome, judged.result


def test_the_five_rules_are_there():
    assert EVERY == [
        "dns.ipv4-present",
        "dns.ipv6-present",
        "dns.addresses-public",
        "dns.addresses-as-declared",
        "dns.alias-sound",
    ]


# -- every rule alike -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.parametrize("host", ["192.0.2.10", "2001:db8::1", "[2001:db8::1]"])
def test_a_literal_address_has_no_dns(rule: str, host: str):
    assert outcome(rule, host=host) == ("not-applicable", "literal-address")


@pytest.mark.parametrize("rule", EVERY)
def test_localhost_has_no_dns(rule: str):
    assert outcome(rule, host="localhost") == ("not-applicable", "local-name")


FAILURES = {
    "resolver-silent": [lost("A"), lost("AAAA")],
    "resolver-failed": [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="REFUSED")],
    "resolver-garbage": [lost("A", "malformed"), lost("AAAA", discarded=3)],
    "answer-incomplete": [reply("A", flags=("qr",)), reply("AAAA", flags=("qr",))],
    "answer-contradictory": [
        reply("A", (NAME, "A", V4), rcode="NXDOMAIN"),
        reply("AAAA", (NAME, "AAAA", V6), rcode="NXDOMAIN"),
    ],
    "not-asked": [],
}


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.parametrize(("result", "replies"), FAILURES.items())
def test_no_answer_to_go_by(rule: str, result: str, replies: list[DnsReply]):
    assert outcome(rule, *replies, declared=(V4,)) == ("cannot-tell", result)


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.parametrize("ending", ["timeout", "port-closed", "closed"])
def test_every_way_of_not_answering_is_silence(rule: str, ending: str):
    replies = [lost("A", ending), lost("AAAA", ending)]
    assert outcome(rule, *replies, declared=(V4,)) == ("cannot-tell", "resolver-silent")


@pytest.mark.parametrize("rule", EVERY)
def test_half_an_answer_is_never_a_pass_for_both_families(rule: str):
    judged = judge(rule, case(a(), lost("AAAA"), declared=(V4, V6)))
    assert judged.outcome == ("holds" if rule == "dns.ipv4-present" else "cannot-tell")


@pytest.mark.parametrize("rule", EVERY)
def test_one_working_resolver_is_enough(rule: str):
    replies = [a(), aaaa(), lost("A", server=OTHER), lost("AAAA", server=OTHER)]
    assert outcome(rule, *replies, declared=(V4, V6))[0] == "holds"


@pytest.mark.parametrize("rule", EVERY)
def test_a_result_of_each_kind_is_declared(rule: str):
    assert set(RULE[rule].results.values()) == {"holds", "violated", "cannot-tell", "not-applicable"}


# -- presence ---------------------------------------------------------------------------------------------------


def test_present_in_both_families():
    assert outcome("dns.ipv4-present", a(), aaaa()) == ("holds", "present")
    assert outcome("dns.ipv6-present", a(), aaaa()) == ("holds", "present")
    assert judge("dns.ipv6-present", case(a(), aaaa())).confidence == "confirmed"


def test_no_aaaa():
    judged = judge("dns.ipv6-present", case(a(), none("AAAA")))
    assert (judged.outcome, judged.result, judged.confidence) == ("violated", "absent", "firm")
    assert [seen.id for seen in judged.because] == ["address-1"]
    assert outcome("dns.ipv4-present", a(), none("AAAA")) == ("holds", "present")


def test_no_aaaa_without_the_zone_in_the_answer_is_tentative():
    judged = judge("dns.ipv6-present", case(a(), reply("AAAA")))
    assert (judged.result, judged.confidence, judged.params["proven"]) == ("absent", "tentative", False)


def test_an_unknown_name():
    for rule in PRESENCE:
        assert outcome(rule, unknown("A"), unknown("AAAA")) == ("violated", "name-unknown")


def test_nxdomain_for_one_type_of_a_name_that_exists_is_not_an_unknown_name():
    assert outcome("dns.ipv6-present", a(), unknown("AAAA")) == ("violated", "absent")


def test_only_private_addresses():
    judged = judge("dns.ipv4-present", case(a("10.0.0.5"), aaaa()))
    assert (judged.outcome, judged.result) == ("violated", "only-not-public")
    assert judged.params["special"]["10.0.0.5"]["class"] == "private"
    assert outcome("dns.ipv6-present", aaaa("fd00::1")) == ("violated", "only-not-public")
    assert outcome("dns.ipv6-present", aaaa("64:ff9b::808:808")) == ("violated", "only-not-public")
    assert outcome("dns.ipv6-present", aaaa("::ffff:8.8.8.8")) == ("violated", "only-not-public")


def test_assumed_public_networks_count():
    assert outcome("dns.ipv4-present", a("192.0.2.10"), assume_public=("192.0.2.0/24",))[0] == "holds"
    assert outcome("dns.ipv4-present", a("192.0.2.10"))[0] == "violated"


def test_a_private_address_beside_a_public_one_is_still_presence():
    both = reply("A", (NAME, "A", V4), (NAME, "A", "10.0.0.5"))
    assert outcome("dns.ipv4-present", both) == ("holds", "present")


def test_resolvers_that_disagree_are_added_up_and_it_is_noted():
    judged = judge("dns.ipv6-present", case(none("AAAA"), aaaa(server=OTHER)))
    assert (judged.outcome, judged.params["disagree"]) == ("holds", True)
    absent = judge("dns.ipv6-present", case(none("AAAA"), unknown("AAAA", server=OTHER), a()))
    assert (absent.result, absent.confidence, absent.params["disagree"]) == ("absent", "tentative", True)


def test_silence_of_one_resolver_does_not_hide_what_the_other_says():
    assert outcome("dns.ipv6-present", lost("AAAA"), none("AAAA", server=OTHER)) == ("violated", "absent")


def test_the_failure_that_says_most_is_told():
    assert outcome("dns.ipv6-present", lost("AAAA"), reply("AAAA", rcode="SERVFAIL", server=OTHER)) == (
        "cannot-tell",
        "resolver-failed",
    )


def test_one_proof_is_enough():
    judged = judge("dns.ipv6-present", case(a(), none("AAAA"), reply("AAAA", server=OTHER)))
    assert (judged.result, judged.confidence) == ("absent", "firm")


def test_what_each_server_said_is_shown():
    judged = judge("dns.ipv4-present", case(a(), reply("A", rcode="SERVFAIL", server=OTHER), lost("A", server=OTHER)))
    assert judged.params["servers"] == [
        {"server": SERVER, "rdtype": "A", "saw": "addresses", "rcode": "NOERROR", "addresses": [V4]},
        {"server": OTHER, "rdtype": "A", "saw": "failed", "rcode": "SERVFAIL"},
        {"server": OTHER, "rdtype": "A", "saw": "silent"},
    ]


@pytest.mark.parametrize("rule", EVERY)
def test_what_cannot_be_told_names_the_replies_that_it_could_not_be_told_from(rule: str):
    judged = judge(rule, case(lost("A"), lost("AAAA"), declared=(V4,)))
    assert judged.because


# -- public -----------------------------------------------------------------------------------------------------


def test_all_public():
    judged = judge("dns.addresses-public", case(a(), aaaa()))
    assert (judged.outcome, judged.result) == ("holds", "all-public")
    assert judged.params["addresses"] == [V4, V6]


def test_one_family_is_enough_when_the_other_is_known_to_be_none():
    assert outcome("dns.addresses-public", a(), none("AAAA")) == ("holds", "all-public")


def test_one_private_address_among_public_ones_fails_and_is_named():
    rows = [(NAME, "A", V4), (NAME, "A", "192.168.1.10")]
    judged = judge("dns.addresses-public", case(reply("A", *rows), lost("AAAA")))
    assert (judged.outcome, judged.result) == ("violated", "not-public")
    assert list(judged.params["special"]) == ["192.168.1.10"]


def test_the_address_inside_is_shown():
    judged = judge("dns.addresses-public", case(a(), aaaa("2002:a00:1::1")))
    assert judged.params["special"]["2002:a00:1::1"] == {
        "class": "6to4",
        "network": "2002::/16",
        "source": "RFC 3056",
        "embedded_ipv4": "10.0.0.1",
    }


def test_a_private_address_that_only_one_resolver_gives_fails():
    judged = judge("dns.addresses-public", case(a(), a("10.1.1.1", server=OTHER), none("AAAA")))
    assert judged.result == "not-public"


def test_what_is_unknown_is_named():
    judged = judge("dns.addresses-public", case(a(), lost("AAAA")))
    assert judged.params["families"] == ["ipv6"]
    assert [seen.id for seen in judged.because] == ["address-1"]


def test_no_addresses_is_nothing_to_judge():
    assert outcome("dns.addresses-public", none("A"), none("AAAA")) == ("not-applicable", "no-addresses")
    assert outcome("dns.addresses-public", unknown("A"), unknown("AAAA")) == ("not-applicable", "no-addresses")


def test_what_an_address_discloses_is_noted():
    judged = judge("dns.addresses-public", case(a(), aaaa("2a00:1::a00:5")))
    assert judged.params["discloses"] == {"2a00:1::a00:5": "private-ipv4"}


# -- as declared ------------------------------------------------------------------------------------------------

DECLARED = "dns.addresses-as-declared"


def test_nothing_declared():
    judged = judge(DECLARED, case(a(), aaaa()))
    assert (judged.outcome, judged.result) == ("not-applicable", "not-declared")
    assert judged.params["addresses"] == [V4, V6]


def test_as_declared_whatever_the_spelling():
    spelled = ("2A00:1450:4001:0:0:0:0:10", V4)
    assert outcome(DECLARED, a(), aaaa(), declared=spelled) == ("holds", "as-declared")


def test_missing():
    judged = judge(DECLARED, case(a(), none("AAAA"), declared=(V4, V6)))
    assert (judged.result, judged.params["missing"], judged.params["undeclared"]) == ("missing", [V6], [])


def test_undeclared():
    judged = judge(DECLARED, case(a(), aaaa(), declared=(V4,)))
    assert (judged.result, judged.params["undeclared"]) == ("undeclared", [V6])


def test_missing_and_undeclared():
    judged = judge(DECLARED, case(a("8.8.8.8"), none("AAAA"), declared=(V4,)))
    assert judged.result == "missing-and-undeclared"
    assert (judged.params["missing"], judged.params["undeclared"]) == ([V4], ["8.8.8.8"])


def test_a_declared_address_of_a_family_without_an_answer_is_not_missing():
    assert outcome(DECLARED, a(), lost("AAAA"), declared=(V4, V6)) == ("cannot-tell", "resolver-silent")


def test_an_undeclared_address_fails_whatever_else_is_unknown():
    assert outcome(DECLARED, a("8.8.8.8"), lost("AAAA"), declared=("8.8.8.8", V6))[0] == "cannot-tell"
    assert outcome(DECLARED, a("8.8.8.8"), lost("AAAA"), declared=(V6,)) == ("violated", "undeclared")


def test_a_name_without_addresses_misses_what_is_declared():
    assert outcome(DECLARED, unknown("A"), unknown("AAAA"), declared=(V4,)) == ("violated", "missing")


def test_an_address_that_only_one_resolver_gives_is_undeclared():
    replies = [a(), a("8.8.8.8", server=OTHER), none("AAAA")]
    assert outcome(DECLARED, *replies, declared=(V4,)) == ("violated", "undeclared")


def test_the_host_may_be_written_with_a_dot_and_in_capitals():
    assert outcome("dns.ipv4-present", a(), host=HOST.upper() + ".") == ("holds", "present")
