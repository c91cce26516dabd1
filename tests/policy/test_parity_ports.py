"""The same ports at every address, or not: IPv6 is the one that is forgotten."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import IcmpTally
from flexiscan.model.failure import Failure
from flexiscan.model.target import Target
from tests.policy.port_world import (
    ACCEPTED,
    DROPPED_TCP,
    RESET,
    TLS,
    V4,
    V6,
    PortWorld,
    answered,
    icmp,
    shown,
    silent_sweep,
    spoke,
    tcp_icmp,
    udp_icmp,
)

RULE = "parity.ports-equal"
OTHER_V4 = "192.0.2.11"


def test_equal_everywhere():
    finding = PortWorld().finding(RULE)
    assert shown(finding) == ("pass", "equal", "firm")
    assert finding.params["compared"] > 30


@pytest.mark.parametrize(
    ("facts", "sweep"),
    [
        ({("tcp", V6, 5060): spoke("sip")}, {}),
        ({("udp", V6, 5060): answered("sip")}, {}),
        ({("tcp", V6, 3389): ACCEPTED}, {}),
        ({}, {V6: silent_sweep(icmp=(IcmpTally(icmp=icmp(V6, "port"), ports=(40000,)),), silent=499)}),
    ],
)
def test_an_internal_port_open_on_ipv6_alone_is_critical(facts, sweep):
    finding = PortWorld(facts, sweep=sweep).finding(RULE)
    assert (finding.verdict, finding.result, finding.severity) == ("fail", "open-only-on-ipv6", "critical")
    assert finding.params["differences"][0]["open_at"] == V6
    assert finding.params["differences"][0]["closed_at"] == V4


def test_open_on_ipv4_alone_has_the_rule_s_severity():
    finding = PortWorld({("tcp", V4, 5060): spoke("sip")}).finding(RULE)
    assert (finding.verdict, finding.result, finding.severity) == ("fail", "open-only-on-ipv4", "high")


def test_the_worst_difference_names_the_result():
    facts = {("tcp", V4, 5060): spoke("sip"), ("tcp", V6, 1433): ACCEPTED}
    finding = PortWorld(facts).finding(RULE)
    assert finding.result == "open-only-on-ipv6"
    assert [d["port"] for d in finding.params["differences"]] == [1433, 5060]


def test_a_published_port_that_only_ipv6_has_is_no_exposure():
    target = Target(host="flexi.example.test", ports=("telephony-manager",))
    finding = PortWorld({("tcp", V6, 9692): TLS}, target=target).finding(RULE)
    assert (finding.result, finding.severity) == ("open-only-on-ipv6", "high")


def test_two_addresses_of_one_family():
    world = PortWorld({("tcp", OTHER_V4, 5060): ACCEPTED}, addresses=(V4, OTHER_V4))
    assert shown(world.finding(RULE))[:2] == ("fail", "differs-between-addresses")


def test_a_server_behind_the_proxy_is_not_compared_with_it():
    origin = "192.0.2.77"
    world = PortWorld({("tcp", origin, 443): DROPPED_TCP, ("tcp", origin, 8080): ACCEPTED}, origins=(origin,))
    assert world.finding(RULE).result == "equal"


def test_one_address_has_nothing_to_compare():
    assert shown(PortWorld(addresses=(V4,)).finding(RULE))[:2] == ("not_applicable", "single-address")


@pytest.mark.parametrize(
    "facts",
    [
        {("tcp", V6, 5060): RESET},
        {("udp", V4, 33333): udp_icmp(V4, "port")},
        {("udp", V6, 69): udp_icmp(V6, "port")},
    ],
)
def test_closed_in_different_ways_is_noted(facts):
    assert shown(PortWorld(facts).finding(RULE))[:2] == ("pass", "filtered-differently")


def test_rejected_here_and_dropped_there_is_equal_for_a_stranger():
    assert PortWorld({("tcp", V6, 5060): tcp_icmp(V6, "prohibited")}).finding(RULE).result == "equal"


def test_a_port_that_is_not_known_somewhere_cannot_be_compared():
    finding = PortWorld({("tcp", V6, 5060): tcp_icmp(V6, "host")}).finding(RULE)
    assert shown(finding)[:2] == ("inconclusive", "not-comparable")
    assert finding.params["ports"] == ["tcp 5060"]


def test_a_difference_elsewhere_outweighs_what_is_not_known():
    facts = {("tcp", V6, 5060): tcp_icmp(V6, "host"), ("tcp", V6, 22): ACCEPTED}
    assert PortWorld(facts).finding(RULE).result == "open-only-on-ipv6"


@pytest.mark.parametrize("outcome", [Failure(reason="no-route"), None])
def test_a_gap_at_one_address_is_no_equality(outcome):
    assert PortWorld({("tcp", V6, 5060): outcome}).finding(RULE).verdict == "inconclusive"


def test_a_lost_control_at_one_address_is_no_equality():
    world = PortWorld(control={V6: (TLS, DROPPED_TCP, DROPPED_TCP)})
    assert shown(world.finding(RULE))[:2] == ("inconclusive", "control-lost")


def test_closed_at_an_address_that_was_lost_is_no_difference():
    """Open on IPv4; on IPv6 silent after we were blocked there."""
    world = PortWorld({("tcp", V4, 5060): spoke("sip")}, control={V6: (TLS, DROPPED_TCP, DROPPED_TCP)})
    assert shown(world.finding(RULE))[:2] == ("inconclusive", "control-lost")


def test_silence_among_unreachable_canaries_on_one_side_is_a_suspicion():
    finding = PortWorld(udp_canary={V6: udp_icmp(V6, "port")}).finding(RULE)
    assert (finding.verdict, finding.confidence) == ("fail", "tentative")
