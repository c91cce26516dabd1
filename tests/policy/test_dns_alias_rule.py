"""dns.alias-sound: each result, and chains that servers show in different ways."""

from __future__ import annotations

import itertools

import pytest

from flexiscan.model.facts_dns import DnsReply
from tests.policy.dns_cases import (
    NAME,
    OTHER,
    SERVER,
    SOA,
    V4,
    V6,
    Row,
    a,
    aaaa,
    case,
    judge,
    lost,
    none,
    reply,
    unknown,
)

END = "end.example.test."
OUTSIDE = "edge.cdn.test."


def links(*names: str) -> list[Row]:
    return [(name, "CNAME", target) for name, target in itertools.pairwise(names)]


def both(*names: str, server: str = SERVER) -> list[DnsReply]:
    """A chain that ends with addresses of both families."""
    rows = links(*names)
    return [
        reply("A", *rows, (names[-1], "A", V4), server=server),
        reply("AAAA", *rows, (names[-1], "AAAA", V6), server=server),
    ]


def outcome(*replies: DnsReply, alias: list[DnsReply] | None = None) -> tuple[str, str]:
    judged = judge("dns.alias-sound", case(*replies, alias=alias or []))
    return judged.outcome, judged.result


def step(name: str, target: str) -> DnsReply:
    return reply("CNAME", (name, "CNAME", target), name=name)


def test_no_alias():
    assert outcome(a(), aaaa()) == ("holds", "no-alias")
    assert outcome(a(), none("AAAA")) == ("holds", "no-alias")


def test_an_unknown_name_has_no_alias_to_judge():
    assert outcome(unknown("A"), unknown("AAAA")) == ("not-applicable", "name-unknown")


def test_half_an_answer_cannot_tell_whether_there_is_an_alias():
    assert outcome(a(), lost("AAAA")) == ("cannot-tell", "resolver-silent")


@pytest.mark.parametrize("names", [(NAME, END), (NAME, "mid.test.", OUTSIDE), (NAME, *"abcdefg", "h.test.")])
def test_sound(names: tuple[str, ...]):
    chain = tuple(name if name.endswith(".") else name + "." for name in names)
    judged = judge("dns.alias-sound", case(*both(*chain)))
    assert (judged.outcome, judged.result) == ("holds", "sound")
    assert judged.params["chain"] == list(chain)


def test_a_loop():
    rows = links(NAME, END, NAME)
    assert outcome(reply("A", *rows), reply("AAAA", *rows)) == ("violated", "loop")


def test_a_name_that_is_its_own_alias_is_a_loop():
    rows = links(NAME, NAME)
    assert outcome(reply("A", *rows), reply("AAAA", *rows)) == ("violated", "loop")


def test_a_loop_that_resolvers_hide_behind_servfail_shows_link_by_link():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    assert outcome(*failed) == ("cannot-tell", "resolver-failed")
    walked = [step(NAME, END), step(END, NAME)]
    assert outcome(*failed, alias=walked) == ("violated", "loop")


def test_a_loop_beside_an_answer_fails():
    rows = [*links(NAME, END, NAME), (END, "A", V4)]
    assert outcome(reply("A", *rows), aaaa())[0] == "violated"


def test_a_name_that_is_its_own_alias_shows_when_asked_for_the_alias():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    assert outcome(*failed, alias=[step(NAME, NAME)]) == ("violated", "loop")


def test_more_than_eight_links():
    chain = (NAME, *(f"l{n}.test." for n in range(9)))
    assert outcome(*both(*chain)) == ("violated", "too-long")


def test_more_than_eight_links_link_by_link():
    chain = (NAME, *(f"l{n}.test." for n in range(9)))
    walked = [step(name, target) for name, target in itertools.pairwise(chain)]
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    assert outcome(*failed, alias=walked) == ("violated", "too-long")


def test_two_aliases_at_one_name():
    rows = [(NAME, "CNAME", END), (NAME, "CNAME", OUTSIDE), (END, "A", V4), (OUTSIDE, "A", V4)]
    assert outcome(reply("A", *rows), reply("AAAA", *rows)) == ("violated", "several-targets")


def test_the_same_alias_twice_is_one():
    rows = [(NAME, "CNAME", END), (NAME, "CNAME", END.upper())]
    replies = [reply("A", *rows, (END, "A", V4)), reply("AAAA", *rows, (END, "AAAA", V6))]
    assert outcome(*replies) == ("holds", "sound")


def test_an_alias_beside_an_address():
    rows = [(NAME, "CNAME", END), (NAME, "A", V4), (END, "A", V4)]
    assert outcome(reply("A", *rows), aaaa()) == ("violated", "beside-data")


def test_an_alias_to_a_name_that_does_not_exist():
    rows = links(NAME, "gone.example.test.")
    assert outcome(unknown("A", *rows), unknown("AAAA", *rows)) == ("violated", "target-unknown")


def test_an_alias_to_a_name_that_does_not_exist_asked_by_its_own_name():
    rows = links(NAME, OUTSIDE)
    half = [reply("A", *rows, flags=("qr", "aa")), reply("AAAA", *rows, flags=("qr", "aa"))]
    assert outcome(*half) == ("cannot-tell", "answer-incomplete")
    gone = [step(NAME, OUTSIDE), reply("CNAME", name=OUTSIDE, rcode="NXDOMAIN")]
    assert outcome(*half, alias=gone) == ("violated", "target-unknown")


def test_an_alias_to_a_name_without_addresses():
    rows = links(NAME, END)
    assert outcome(none("A", *rows), none("AAAA", *rows)) == ("violated", "target-without-addresses")


def test_an_alias_whose_end_asked_by_name_has_no_addresses():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    walked = [step(NAME, END), none("CNAME", name=END), none("A", name=END), none("AAAA", name=END)]
    assert outcome(*failed, alias=walked) == ("violated", "target-without-addresses")


def test_an_end_without_addresses_decides_only_when_that_is_proven():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    walked = [step(NAME, END), none("CNAME", name=END), reply("A", name=END), reply("AAAA", name=END)]
    assert outcome(*failed, alias=walked) == ("cannot-tell", "resolver-failed")


def test_a_stripped_family_stays_doubtful_at_the_end_of_the_chain():
    rows = links(NAME, END)
    stripped = [reply("A", *rows, (END, "A", V4)), reply("AAAA", *rows), reply("SOA", *rows, authority=[SOA])]
    follow = [step(NAME, END), none("CNAME", name=END), reply("A", (END, "A", V4), name=END), reply("AAAA", name=END)]
    assert outcome(*stripped, alias=follow) == ("cannot-tell", "absence-doubtful")


def test_a_forged_alias_is_no_defect_of_the_name():
    forged = reply("A", *links(NAME, "block.test.", NAME)).model_copy(update={"extended_errors": (15,)})
    assert outcome(forged, aaaa()) == ("cannot-tell", "resolver-filters")


def test_an_alias_that_rotates_between_questions_has_one_target_at_a_time():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    chatty = reply("CNAME", (NAME, "CNAME", END), (END, "CNAME", "one.cdn.test."))
    walked = [chatty, step(END, "two.cdn.test."), none("CNAME", name="two.cdn.test.")]
    assert outcome(*failed, alias=walked) == ("cannot-tell", "resolver-failed")


def test_an_alias_whose_end_has_addresses_while_the_host_fails_cannot_be_told():
    failed = [reply("A", rcode="SERVFAIL"), reply("AAAA", rcode="SERVFAIL")]
    walked = [step(NAME, END), none("CNAME", name=END), reply("A", (END, "A", V4), name=END)]
    assert outcome(*failed, alias=walked) == ("cannot-tell", "resolver-failed")


def test_an_alias_that_leads_one_family_only():
    rows = links(NAME, END)
    judged = judge("dns.alias-sound", case(reply("A", *rows, (END, "A", V4)), none("AAAA", *rows)))
    assert (judged.outcome, judged.result) == ("violated", "one-family-only")
    assert judged.params["without"] == ["ipv6"]


def test_nxdomain_for_one_family_of_an_alias_that_works_for_the_other():
    rows = links(NAME, END)
    replies = [reply("A", *rows, (END, "A", V4)), unknown("AAAA", *rows)]
    assert outcome(*replies) == ("violated", "one-family-only")


def test_families_that_go_different_ways():
    four = reply("A", *links(NAME, END), (END, "A", V4))
    six = reply("AAAA", *links(NAME, OUTSIDE), (OUTSIDE, "AAAA", V6))
    assert outcome(four, six) == ("violated", "families-differ")


def test_an_alias_for_one_family_and_none_for_the_other():
    six = reply("AAAA", *links(NAME, OUTSIDE), (OUTSIDE, "AAAA", V6))
    assert outcome(a(), six) == ("violated", "families-differ")


def test_resolvers_on_different_ways_disagree_but_each_is_sound():
    replies = [*both(NAME, END), *both(NAME, OUTSIDE, server=OTHER)]
    assert outcome(*replies) == ("holds", "sound")


def test_one_resolver_with_different_ways_is_enough():
    four = reply("A", *links(NAME, END), (END, "A", V4), server=OTHER)
    six = reply("AAAA", *links(NAME, OUTSIDE), (OUTSIDE, "AAAA", V6), server=OTHER)
    assert outcome(*both(NAME, END), four, six) == ("violated", "families-differ")


def test_what_the_host_itself_gives_outweighs_its_end():
    follow = [step(NAME, END), none("CNAME", name=END), none("A", name=END), none("AAAA", name=END)]
    assert outcome(*both(NAME, END), alias=follow) == ("holds", "sound")


def test_the_replies_behind_it():
    follow = [step(NAME, END), reply("CNAME", name=END, rcode="SERVFAIL")]
    judged = judge("dns.alias-sound", case(*both(NAME, END), alias=follow))
    assert [seen.id for seen in judged.because] == ["address-0", "address-1", "alias-0"]
    nothing = judge("dns.alias-sound", case(lost("A"), lost("AAAA")))
    assert [seen.id for seen in nothing.because] == ["address-0", "address-1"]


def test_resolvers_that_disagree_about_one_family_make_it_tentative():
    judged = judge("dns.alias-sound", case(*both(NAME, END), none("AAAA", server=OTHER), a(server=OTHER)))
    assert (judged.result, judged.confidence, judged.params["disagree"]) == ("sound", "tentative", True)


def test_one_family_unknown_cannot_be_told():
    rows = links(NAME, END)
    assert outcome(reply("A", *rows, (END, "A", V4)), lost("AAAA")) == ("cannot-tell", "resolver-silent")


def test_an_alias_that_one_resolver_shows_and_the_other_does_not_is_judged():
    rows = links(NAME, "gone.example.test.")
    replies = [
        unknown("A", *rows),
        unknown("AAAA", *rows),
        none("A", server=OTHER),
        none("AAAA", server=OTHER),
    ]
    judged = judge("dns.alias-sound", case(*replies))
    assert (judged.result, judged.confidence) == ("target-unknown", "tentative")


def test_a_stripped_family_is_not_called_missing_when_its_end_has_addresses():
    rows = links(NAME, END)
    replies = [reply("A", *rows, (END, "A", V4)), reply("AAAA", *rows)]
    follow = [step(NAME, END), none("CNAME", name=END), reply("AAAA", (END, "AAAA", V6), name=END)]
    assert outcome(*replies) == ("violated", "one-family-only")
    assert outcome(*replies, alias=follow) == ("cannot-tell", "answer-incomplete")


def test_a_lying_end_does_not_turn_a_dangling_alias_into_a_pass():
    rows = links(NAME, "gone.example.test.")
    follow = [step(NAME, "gone.example.test."), reply("A", ("other.test.", "A", V4), name="gone.example.test.")]
    replies = [unknown("A", *rows), unknown("AAAA", *rows)]
    assert outcome(*replies, alias=follow) == ("violated", "target-unknown")
