"""Who refuses, and how far a sweep came: the scanner's own network, another machine inside, and time running out."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import IcmpTally
from tests.policy.port_world import FIREWALL, V4, V6, PortWorld, canaries, icmp, shown, silent_sweep, udp_icmp
from tests.policy.test_end_of_way import BOTH, PORT, RANGE, UNKNOWN, judge, way

OWN_GATEWAY = {V4: "198.51.100.254", V6: "2001:db8:5::fe"}


@BOTH
@pytest.mark.parametrize("hop_limit", [64, 128, 255])
@pytest.mark.parametrize("meaning", ["prohibited", "port"])
def test_refused_by_the_first_hop_is_no_filter_of_the_server(address: str, meaning: str, hop_limit: int):
    """It is the scanner's own network that lets nothing out."""
    error = icmp(address, meaning, OWN_GATEWAY[address]).model_copy(update={"hop_limit": hop_limit})
    tally = IcmpTally(icmp=error, ports=tuple(range(40000, 40500)))
    sweep = silent_sweep(icmp=(tally,), silent=0, canaries=canaries("icmp", error))
    finding = PortWorld(sweep={address: sweep}).finding(RANGE, address, "udp")
    assert shown(finding)[:2] == ("inconclusive", "path-error")
    facts = {("udp", address, 33333): udp_icmp(address, meaning, OWN_GATEWAY[address])}
    near = {slot: fact.model_copy(update={"icmp": error}) for slot, fact in facts.items()}
    assert PortWorld(facts=near).finding(PORT[0], address, "udp", 33333).verdict == "inconclusive"


@BOTH
def test_canaries_that_the_first_hop_refuses_are_no_comparison(address: str):
    error = icmp(address, "prohibited", OWN_GATEWAY[address]).model_copy(update={"hop_limit": 64})
    refused = {"canaries": canaries("icmp", error), "canaries_after": canaries("icmp", error)}
    sweep = silent_sweep(**refused)
    assert PortWorld(sweep={address: sweep}).finding(RANGE, address, "udp").verdict == "inconclusive"


@BOTH
def test_another_machine_as_far_away_as_the_server_is_no_filter(address: str):
    """Forwarded to a machine inside that answers with its own address."""
    error = icmp(address, "port", FIREWALL[address]).model_copy(update={"hop_limit": 61})
    sweep = silent_sweep(icmp=(IcmpTally(icmp=error, ports=tuple(range(40000, 40500))),), silent=0)
    world = PortWorld(sweep={address: sweep}, tcp_path={address: way(address)})
    assert shown(world.finding(RANGE, address, "udp"))[:2] == ("inconclusive", "path-error")
    nearer = error.model_copy(update={"hop_limit": 62})
    sweep = silent_sweep(icmp=(IcmpTally(icmp=nearer, ports=tuple(range(40000, 40500))),), silent=0)
    world = PortWorld(sweep={address: sweep}, tcp_path={address: way(address)})
    assert shown(world.finding(RANGE, address, "udp"))[:2] == ("pass", "filtered")


@BOTH
def test_a_sweep_that_ran_out_of_time_says_how_far_it_came(address: str):
    error = icmp(address, "prohibited", FIREWALL[address])
    tally = IcmpTally(icmp=error, ports=tuple(range(40000, 43000)))
    cut = silent_sweep(icmp=(tally,), silent=0, ports_asked=3000, stopped="out-of-time")
    finding = PortWorld(sweep={address: cut}).finding(RANGE, address, "udp")
    assert shown(finding) == ("pass", "filtered", "tentative")
    assert (finding.params["bound"], finding.params["bound_percent"]) == (8, 95)
    assert judge(address, ports_asked=3000, silent=3000, near_asked=3000, near_passes=1, stopped="out-of-time")[:2] == (
        UNKNOWN
    )


@BOTH
def test_the_whole_range_has_no_bound(address: str):
    error = icmp(address, "prohibited", FIREWALL[address])
    tally = IcmpTally(icmp=error, ports=tuple(range(40000, 50001)))
    whole = silent_sweep(icmp=(tally,), silent=0, ports_asked=10001)
    finding = PortWorld(sweep={address: whole}).finding(RANGE, address, "udp")
    assert shown(finding) == ("pass", "filtered", "firm")
    assert "bound" not in finding.params
