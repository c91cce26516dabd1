"""Networks that lie: none of them may produce a pass."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan.model.failure import Failure
from tests.policy.port_world import (
    ACCEPTED,
    DROPPED_TCP,
    DROPPED_UDP,
    FIREWALL,
    RESET,
    TLS,
    V4,
    V6,
    PortWorld,
    answered,
    shown,
    spoke,
    tcp_icmp,
    udp_icmp,
)

BOTH = pytest.mark.parametrize("address", [V4, V6])
SIP = "ports.sip-unreachable"
CORBA = "ports.oip-corba-unreachable"


# --- something answers on every port ---


@BOTH
def test_a_syn_proxy_accepts_everything(address: str):
    world = PortWorld({("tcp", address, 2809): ACCEPTED}, tcp_canary={address: ACCEPTED})
    assert shown(world.finding(CORBA, address, "tcp", 2809))[:2] == ("inconclusive", "everything-answers")


@BOTH
def test_a_real_service_behind_a_syn_proxy_is_still_open(address: str):
    world = PortWorld({("tcp", address, 2809): spoke("giop")}, tcp_canary={address: ACCEPTED})
    assert shown(world.finding(CORBA, address, "tcp", 2809)) == ("fail", "open-confirmed", "confirmed")


def test_a_captive_portal_speaks_http_on_every_port():
    world = PortWorld({("tcp", V4, 8080): spoke("http")}, tcp_canary={V4: spoke("http")})
    finding = world.finding("ports.backend-site-unreachable", V4, "tcp", 8080)
    assert shown(finding)[:2] == ("inconclusive", "everything-answers")


def test_a_page_of_its_own_among_portal_answers_is_not_hidden():
    world = PortWorld({("tcp", V4, 1339): spoke("ctstack-config")}, tcp_canary={V4: spoke("http")})
    finding = world.finding("ports.ctstack-config-unreachable", V4, "tcp", 1339)
    assert finding.result == "open-confirmed"


def test_one_canary_that_met_a_real_service_proves_no_syn_proxy():
    world = PortWorld({("tcp", V4, 2809): ACCEPTED, ("tcp-canary", V4, 21001): ACCEPTED})
    finding = world.finding(CORBA, V4, "tcp", 2809)
    assert finding.result == "open"


def test_a_tarpit_that_accepts_443_and_everything_else():
    world = PortWorld({("tcp", V4, 443): ACCEPTED, ("tcp", V4, 9692): ACCEPTED}, tcp_canary={V4: ACCEPTED})
    assert shown(world.finding("ports.web-reachable", V4, "tcp", 443))[:2] == ("inconclusive", "everything-answers")
    finding = world.finding("ports.telephony-manager-as-declared", V4, "tcp", 9692)
    assert shown(finding)[:2] == ("inconclusive", "everything-answers")


def test_udp_canaries_that_answer_like_the_port():
    world = PortWorld({("udp", V4, 33333): answered(None)}, udp_canary={V4: answered(None)})
    finding = world.finding("ports.tapi-panasonic-unreachable", V4, "udp", 33333)
    assert shown(finding)[:2] == ("inconclusive", "everything-answers")
    real = PortWorld({("udp", V4, 5060): answered("sip")}, udp_canary={V4: answered(None)})
    assert real.finding(SIP, V4, "udp", 5060).result == "open-confirmed"


# --- we were blocked ---


@BOTH
@pytest.mark.parametrize("lost", [DROPPED_TCP, Failure(reason="deadline"), None])
def test_a_control_that_answered_only_before_proves_nothing(address: str, lost):
    world = PortWorld(control={address: (TLS, lost, lost)})
    assert shown(world.finding(SIP, address, "tcp", 5060))[:2] == ("inconclusive", "control-lost")
    assert shown(world.finding(SIP, address, "udp", 5060))[:2] == ("inconclusive", "control-lost")
    assert shown(world.finding("ports.rtp-unreachable", address, "udp"))[:2] == ("inconclusive", "control-lost")


@BOTH
def test_a_block_in_mid_scan_keeps_only_what_was_seen_before(address: str):
    """TCP ran before the middle control, UDP around and after it."""
    world = PortWorld(control={address: (TLS, TLS, DROPPED_TCP)})
    assert world.finding(SIP, address, "tcp", 5060).verdict == "pass"
    late = world.finding("ports.proxy-management-unreachable", address, "udp", 161)
    assert shown(late)[:2] == ("inconclusive", "control-lost")


@BOTH
def test_a_firewall_that_blocks_us_with_resets_is_no_closed_port(address: str):
    """After the block everything resets, the control port too: that is no answer of the server any more."""
    facts = {("tcp", address, port): RESET for port in (5060, 2809, 22)}
    world = PortWorld(facts, control={address: (TLS, RESET, RESET)})
    assert shown(world.finding(SIP, address, "tcp", 5060))[:2] == ("inconclusive", "control-lost")


@BOTH
def test_a_block_that_ends_before_the_last_control_is_seen_by_the_beat_inside(address: str):
    world = PortWorld(control={address: (TLS, DROPPED_TCP, TLS)})
    assert shown(world.finding(SIP, address, "tcp", 5060))[:2] == ("inconclusive", "control-lost")


@BOTH
def test_an_exposure_seen_before_the_block_stays_a_failure(address: str):
    world = PortWorld({("tcp", address, 5060): spoke("sip")}, control={address: (TLS, DROPPED_TCP, DROPPED_TCP)})
    assert world.finding(SIP, address, "tcp", 5060).verdict == "fail"


@BOTH
def test_a_declared_port_that_fell_silent_with_the_control_is_no_failure(address: str):
    world = PortWorld({("tcp", address, 443): DROPPED_TCP}, control={address: (TLS, DROPPED_TCP, DROPPED_TCP)})
    finding = world.finding("ports.web-reachable", address, "tcp", 443)
    assert shown(finding)[:2] == ("inconclusive", "control-lost")


# --- ICMP that misleads ---


def test_an_icmp_limit_that_answers_one_canary_only_is_no_comparison():
    """Canaries around the question disagree: neither "like them" nor "unlike them" can be said."""
    for facts in (
        {("udp-canary", V4, 22001): udp_icmp(V4, "port")},
        {("udp-canary", V4, 22002): udp_icmp(V4, "port")},
    ):
        finding = PortWorld(facts).finding(SIP, V4, "udp", 5060)
        assert shown(finding)[:2] == ("inconclusive", "canaries-disagree")


def test_only_the_canaries_next_to_the_question_count():
    """ICMP stopped after the first questions; for the later ones silence is what canaries meet too."""
    world = PortWorld({("udp-canary", V4, 22001): udp_icmp(V4, "port")})
    assert world.finding("ports.proxy-management-unreachable", V4, "udp", 161).result == "filtered"


def test_a_canary_that_answers_leaves_silence_unexplained():
    world = PortWorld(udp_canary={V4: answered(None)})
    assert world.finding(SIP, V4, "udp", 5060).result == "canaries-disagree"


def test_a_canary_astray_leaves_silence_unexplained():
    world = PortWorld(udp_canary={V4: udp_icmp(V4, "host", FIREWALL[V4])})
    assert world.finding(SIP, V4, "udp", 5060).result == "canaries-disagree"


def test_a_canary_that_could_not_be_asked_is_a_gap():
    world = PortWorld({("udp-canary", V4, 22002): Failure(reason="no-resource")})
    assert world.finding(SIP, V4, "udp", 5060).verdict == "inconclusive"


def test_silence_without_the_canary_after_it_is_not_judged():
    world = PortWorld({("udp-canary", V4, port): None for port in (22002, 22003)})
    assert world.finding(SIP, V4, "udp", 5060).verdict == "inconclusive"


def test_port_unreachable_for_tcp_from_the_host_is_a_reject_and_no_reset():
    assert PortWorld({("tcp", V4, 5060): tcp_icmp(V4, "port")}).finding(SIP, V4, "tcp", 5060).result == "filtered"


def test_an_icmp_fact_without_its_error_is_never_a_pass():
    world = PortWorld({("tcp", V4, 5060): TcpExchange(connect="icmp"), ("udp", V4, 5060): UdpExchange(reply="icmp")})
    for transport in ("tcp", "udp"):
        assert world.finding(SIP, V4, transport, 5060).result == "path-error"


def test_offenders_are_compared_as_addresses_and_not_as_text():
    world = PortWorld({("udp", V6, 33333): udp_icmp(V6, "port", "2001:0db8:0002:0000:0000:0000:0000:0010")})
    assert world.finding("ports.tapi-panasonic-unreachable", V6, "udp", 33333).result == "closed-unfiltered"


# --- silence that means less ---


def test_a_silent_tcp_port_among_resetting_ones_is_a_weaker_sign():
    """A listener with a full queue is silent as well."""
    finding = PortWorld(tcp_canary={V4: RESET}).finding(SIP, V4, "tcp", 5060)
    assert shown(finding) == ("pass", "filtered", "tentative")


def test_answers_of_strangers_neither_open_a_port_nor_leave_it_silent():
    quiet = DROPPED_UDP.model_copy(update={"alien_replies": 3})
    finding = PortWorld({("udp", V4, 5060): quiet}).finding(SIP, V4, "udp", 5060)
    assert shown(finding)[:2] == ("inconclusive", "path-error")
    assert finding.params["alien_replies"] == 3


@pytest.mark.parametrize("missing", [V4, V6])
def test_a_lost_family_is_never_inferred_from_the_other(missing: str):
    gone = Failure(reason="no-route")
    world = PortWorld({("tcp", missing, port): gone for port in (5060, 5061, 2809)})
    kept = V6 if missing == V4 else V4
    assert world.finding(SIP, missing, "tcp", 5060).verdict == "inconclusive"
    assert world.finding(SIP, kept, "tcp", 5060).verdict == "pass"
