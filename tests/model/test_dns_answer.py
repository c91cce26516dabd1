"""Which records answer a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.dns_answer import (
    addresses_of,
    answer_path,
    canonical_name,
    sort_addresses,
    without_dns,
)
from flexiscan.model.facts_dns import DnsRecord, DnsReply

Row = tuple[str, str, str]


def reply(rdtype: str, *rows: Row, name: str = "h.test.", rcode: str | None = "NOERROR", outcome: str = "answer"):
    return DnsReply(
        name=name,
        rdtype=rdtype,
        server="9.9.9.9#53",
        transport="udp",
        outcome=outcome,
        rcode=rcode,
        records=tuple(DnsRecord(name=owner, rdtype=kind, ttl=1, data=data) for owner, kind, data in rows),
    )


def test_both_families_sorted_and_once():
    replies = [
        reply("AAAA", ("h.test.", "AAAA", "2a00::2"), ("h.test.", "AAAA", "2a00:0::1")),
        reply("A", ("h.test.", "A", "10.0.0.9"), ("h.test.", "A", "9.0.0.1")),
        reply("A", ("h.test.", "A", "9.0.0.1")),
    ]
    assert addresses_of("H.TEST", replies) == ("9.0.0.1", "10.0.0.9", "2a00::1", "2a00::2")


def test_only_what_is_reached_from_the_question():
    rows = [
        ("h.test.", "CNAME", "a.test."),
        ("a.test.", "A", "9.0.0.1"),
        ("b.test.", "A", "9.0.0.2"),
        ("c.test.", "CNAME", "h.test."),
        ("h.test.", "AAAA", "2a00::1"),
    ]
    assert addresses_of("h.test", [reply("A", *rows)]) == ("9.0.0.1",)


def test_both_targets_of_an_ambiguous_alias_count():
    rows = [
        ("h.test.", "CNAME", "a.test."),
        ("h.test.", "CNAME", "b.test."),
        ("a.test.", "A", "9.0.0.1"),
        ("b.test.", "A", "9.0.0.2"),
    ]
    assert addresses_of("h.test", [reply("A", *rows)]) == ("9.0.0.1", "9.0.0.2")
    assert answer_path(reply("A", *rows)).ambiguous == ("h.test.",)


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", None])
def test_an_error_gives_no_addresses(rcode: str | None):
    assert addresses_of("h.test", [reply("A", ("h.test.", "A", "9.0.0.1"), rcode=rcode)]) == ()


def test_a_reply_that_never_came_gives_no_addresses():
    assert addresses_of("h.test", [reply("A", outcome="timeout", rcode=None)]) == ()
    assert addresses_of("h.test", []) == ()


def test_a_forged_answer_gives_no_addresses():
    forged = reply("A", ("h.test.", "A", "9.0.0.1")).model_copy(update={"extended_errors": (4,)})
    assert addresses_of("h.test", [forged]) == ()


def test_a_chain_over_several_replies():
    replies = [
        reply("A", ("b.test.", "A", "9.0.0.1"), name="b.test."),
        reply("CNAME", ("a.test.", "CNAME", "b.test."), name="a.test."),
        reply("A", ("h.test.", "CNAME", "a.test.")),
        reply("A", ("z.test.", "A", "9.0.0.2"), name="z.test."),
    ]
    assert addresses_of("h.test", replies) == ("9.0.0.1",)


def test_a_loop_ends():
    path = answer_path(reply("A", ("h.test.", "CNAME", "a.test."), ("a.test.", "CNAME", "H.test.")))
    assert path.loops
    assert path.names == ("h.test.", "a.test.")


def test_the_chain_is_shown_in_order():
    path = answer_path(reply("A", ("a.test.", "CNAME", "b.test."), ("h.test.", "CNAME", "a.test.")))
    assert path.names == ("h.test.", "a.test.", "b.test.")
    assert (path.end, path.links, path.loops) == ("b.test.", 2, False)


def test_names():
    assert canonical_name("Flexi.Example") == "flexi.example."
    assert canonical_name("flexi.example.") == "flexi.example."
    assert canonical_name(".") == "."


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "literal-address"),
        ("[2001:DB8::1]", "literal-address"),
        ("::1", "literal-address"),
        ("localhost", "local-name"),
        ("LOCALHOST.", "local-name"),
        ("1.2.3", ""),
        ("localhost.example", ""),
        ("flexi.example", ""),
        ("", ""),
    ],
)
def test_hosts_without_dns(host: str, reason: str):
    assert without_dns(host) == reason


def test_sorting_is_by_family_and_number():
    assert sort_addresses(["::2", "10.0.0.1", "9.0.0.1", "::1", "::0001"]) == ("9.0.0.1", "10.0.0.1", "::1", "::2")


NAMES = st.sampled_from(["h.test.", "a.test.", "b.test.", "c.test.", "H.TEST."])
ROWS = st.one_of(
    st.tuples(NAMES, st.just("CNAME"), NAMES),
    st.tuples(NAMES, st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(NAMES, st.just("AAAA"), st.ip_addresses(v=6).map(str)),
)


@given(st.lists(ROWS, max_size=12))
def test_any_tangle_ends_and_finds_only_addresses_of_names_reached(rows: list[Row]):
    path = answer_path(reply("A", *rows))
    assert len(set(path.names)) == len(path.names)
    assert path.names[0] == "h.test."
    owners = {name.lower() for name, kind, data in rows if kind == "A" and data in path.addresses}
    assert bool(owners) == bool(path.addresses)
    assert set(addresses_of("h.test", [reply("A", *rows)])) == set(path.addresses)
