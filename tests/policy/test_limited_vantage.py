"""Refusals whose sender the scanner's system does not tell: at most a tentative pass, and never a failed range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts import Fact, SweepPort, TcpExchange, UdpExchange
from flexiscan.policy.ports.media_range import RANGE_RESULTS, read_sweep
from flexiscan.policy.ports.reading import PORT_RESULTS, read_tcp, read_udp
from tests.policy.port_world import DROPPED_TCP, V4, V6, PortWorld, Slot, canaries, shown, silent_sweep
from tests.policy.test_port_readings_properties import questions, seen, sweeps, tcp_facts, udp_facts

BOTH = pytest.mark.parametrize("address", [V4, V6])
SIP = "ports.sip-unreachable"
TFTP = "ports.tftp-unreachable"
RANGE = "ports.rtp-unreachable"
REFUSED_TCP = TcpExchange(connect="refused")
REFUSED_UDP = UdpExchange(reply="refused")


@BOTH
def test_a_refused_port_is_closed_or_filtered(address: str):
    facts: dict[Slot, Fact] = {("tcp", address, 5060): REFUSED_TCP, ("udp", address, 5060): REFUSED_UDP}
    for transport in ("tcp", "udp"):
        finding = PortWorld(facts, sight="limited").finding(SIP, address, transport, 5060)
        assert shown(finding) == ("pass", "closed-or-filtered", "tentative")


@BOTH
def test_a_refused_port_where_nothing_answers_is_no_pass(address: str):
    dead = PortWorld(
        {("tcp", address, 443): DROPPED_TCP, ("tcp", address, 5060): REFUSED_TCP, ("udp", address, 5060): REFUSED_UDP},
        control={address: (DROPPED_TCP,) * 3},
        sight="limited",
    )
    assert {f.verdict for f in dead.findings() if f.address == address and f.rule == SIP} == {"inconclusive"}


@BOTH
def test_a_silent_port_among_refused_ones_is_left_open(address: str):
    """The refusals may come from a filter, the scanner's own too, that lets this port alone through; or drops it."""
    world = PortWorld(udp_canary={address: REFUSED_UDP}, sight="limited")
    assert shown(world.finding(TFTP, address, "udp", 69))[:2] == ("inconclusive", "limited-vantage")


@BOTH
def test_an_error_of_unknown_kind_is_no_sign(address: str):
    """Another error than port unreachable, of which the system told neither kind nor sender."""
    facts: dict[Slot, Fact] = {
        ("tcp", address, 5060): TcpExchange(connect="icmp"),
        ("udp", address, 5060): UdpExchange(reply="icmp"),
    }
    for transport in ("tcp", "udp"):
        finding = PortWorld(facts, sight="limited").finding(SIP, address, transport, 5060)
        assert shown(finding)[:2] == ("inconclusive", "path-error")


@BOTH
def test_a_refused_web_port_is_not_open(address: str):
    world = PortWorld({("tcp", address, 443): REFUSED_TCP}, control_port=80, sight="limited")
    found = world.finding("ports.web-reachable", address, "tcp", 443)
    assert shown(found)[:2] == ("fail", "declared-not-open")


@BOTH
@pytest.mark.parametrize("ports", [(40000,), (40000, 41000, 50000), tuple(range(40000, 40500))])
def test_refused_media_ports_decide_nothing(address: str, ports: tuple[int, ...]):
    sweep = silent_sweep(refused_ports=ports, silent=500 - len(ports), canaries=canaries("refused"))
    finding = PortWorld(sweep={address: sweep}, sight="limited").finding(RANGE, address, "udp")
    assert shown(finding) == ("inconclusive", "limited-vantage", "tentative")
    assert finding.params["refused"] == len(ports)


def test_what_was_heard_from_the_range_counts_beside_refusals():
    sweep = silent_sweep(refused_ports=(40002,), data_ports=(40500,), silent=498)
    found = PortWorld(sweep={V4: sweep}, sight="limited").finding(RANGE, V4, "udp")
    assert shown(found)[:2] == ("fail", "open")


def test_silence_is_a_weak_sign_where_sight_is_limited():
    full, limited = (PortWorld(sight=sight).finding(SIP, V4, "tcp", 5060) for sight in ("full", "limited"))
    assert shown(full) == ("pass", "filtered", "firm")
    assert shown(limited) == ("pass", "filtered", "tentative")


def test_an_answer_is_as_sure_as_ever():
    found = PortWorld(sight="limited").finding("ports.web-reachable", V4, "tcp", 443)
    assert shown(found) == ("pass", "open-as-declared", "confirmed")


refused_tcp = tcp_facts.map(lambda fact: fact.model_copy(update={"connect": "refused", "icmp": None}))
refused_udp = udp_facts.map(lambda fact: fact.model_copy(update={"reply": "refused", "icmp": None}))
refused_ports = st.lists(st.integers(40000, 50000), unique=True, min_size=1, max_size=5).map(tuple)


@given(fact=refused_tcp, canaries=st.lists(refused_tcp | tcp_facts, max_size=3), question=questions)
def test_no_pass_of_a_refused_tcp_port_is_firmer_than_tentative(
    fact: TcpExchange, canaries: list[TcpExchange], question: str
):
    reading = read_tcp(seen(fact, question), fact, [seen(canary) for canary in canaries])
    assert PORT_RESULTS[reading.result] == "holds"
    assert reading.confidence == "tentative"


@given(fact=refused_udp | udp_facts, canaries=st.lists(refused_udp, min_size=1, max_size=4), question=questions)
def test_refusals_of_udp_ports_pass_tentatively_and_fail_nothing(
    fact: UdpExchange, canaries: list[UdpExchange], question: str
):
    around = [seen(canary, at_s=20.0 * number) for number, canary in enumerate(canaries)]
    reading = read_udp(seen(fact, question), fact, around)
    outcome = PORT_RESULTS[reading.result]
    if fact.reply == "refused":
        assert (outcome, reading.confidence) == ("holds", "tentative")
    if fact.reply == "silence":
        assert outcome == "cannot-tell"


@given(fact=sweeps, ports=refused_ports, is_canary=st.booleans())
def test_a_refusal_neither_passes_nor_fails_the_range(fact, ports: tuple[int, ...], is_canary: bool):
    if is_canary:
        changes = {"canaries": (*fact.canaries, SweepPort(port=ports[0], reply="refused"))}
    else:
        changes = {"refused_ports": ports}
    refused = fact.model_copy(update={**changes, "icmp": ()})
    reading = read_sweep(seen(refused), refused)
    if RANGE_RESULTS[reading.result] == "violated":
        assert refused.media or refused.data_ports
    assert RANGE_RESULTS[reading.result] != "holds"
