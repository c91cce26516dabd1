"""Every result of the port rules on hand-made facts, for both families."""

from __future__ import annotations

import pytest

from flexiscan.model.failure import Failure
from flexiscan.model.target import Target
from flexiscan.policy.ports.reading import PORT_RESULTS
from flexiscan.policy.rules.ports import DECLARED_RESULTS, PORT_RULES
from flexiscan.policy.rules.ports_all import NO_UNDECLARED_PORT
from tests.policy.port_world import (
    ACCEPTED,
    DROPPED_TCP,
    FIREWALL,
    PROFILE,
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


def test_a_host_that_drops_everything_passes_but_for_what_silence_cannot_show():
    findings = [f for f in PortWorld().findings() if f.rule in {rule.id for rule in PORT_RULES}]
    assert {f.verdict for f in findings} == {"pass", "inconclusive", "not_checked"}
    open_questions = {(f.rule, f.transport, f.port, f.result) for f in findings if f.verdict == "inconclusive"}
    assert open_questions == {
        ("ports.rtp-unreachable", "udp", None, "no-exposure-seen"),
        ("ports.tapi-avaya-unreachable", "udp", 50797, "no-exposure-seen"),
        ("ports.tapi-panasonic-unreachable", "udp", 33333, "no-exposure-seen"),
    }
    assert [(f.rule, f.result) for f in findings if f.verdict == "not_checked"] == [
        ("ports.mitai-unreachable", "not-declared")
    ]


def test_every_row_of_the_table_has_one_finding_an_address():
    findings = PortWorld().findings()
    for row in PROFILE.ports:
        port = None if row.last_port else row.port
        for address in (V4, V6):
            same = [
                f
                for f in findings
                if (f.rule, f.address, f.transport, f.port) == (row.rule, address, row.transport, port)
            ]
            assert len(same) == 1, row


@BOTH
def test_silence_between_controls_is_filtered(address: str):
    assert shown(PortWorld().finding(SIP, address, "tcp", 5060)) == ("pass", "filtered", "firm")
    assert shown(PortWorld().finding(SIP, address, "udp", 5060)) == ("pass", "filtered", "tentative")


@BOTH
def test_a_reset_is_closed_without_a_filter(address: str):
    world = PortWorld({("tcp", address, 5060): RESET})
    assert shown(world.finding(SIP, address, "tcp", 5060)) == ("pass", "closed-unfiltered", "firm")


@BOTH
def test_an_icmp_reject_is_filtered_whoever_sends_it(address: str):
    for fact in (
        tcp_icmp(address, "prohibited", FIREWALL[address]),
        tcp_icmp(address, "port", FIREWALL[address]),
        tcp_icmp(address, "port"),
    ):
        finding = PortWorld({("tcp", address, 5060): fact}).finding(SIP, address, "tcp", 5060)
        assert shown(finding) == ("pass", "filtered", "confirmed")
        assert fact.icmp is not None
        assert finding.params["offender"] == fact.icmp.offender


@BOTH
def test_the_protocol_asked_for_is_open_confirmed(address: str):
    world = PortWorld({("tcp", address, 5060): spoke("sip"), ("udp", address, 5060): answered("sip")})
    assert shown(world.finding(SIP, address, "tcp", 5060)) == ("fail", "open-confirmed", "confirmed")
    finding = world.finding(SIP, address, "udp", 5060)
    assert shown(finding) == ("fail", "open-confirmed", "confirmed")
    assert finding.severity == "high"
    assert finding.params["service"] == "sip"


@BOTH
@pytest.mark.parametrize("fact", [ACCEPTED, spoke(None), spoke("ssh"), ACCEPTED.model_copy(update={"reply": "reset"})])
def test_accepting_is_open_whatever_is_said_after(address: str, fact):
    finding = PortWorld({("tcp", address, 2809): fact}).finding("ports.oip-corba-unreachable", address, "tcp", 2809)
    assert (finding.verdict, finding.result) == ("fail", "open")
    assert finding.confidence == ("confirmed" if fact.reply == "data" else "firm")


def test_any_known_service_confirms_a_port_without_a_protocol_of_its_own():
    world = PortWorld({("tcp", V6, 1337): spoke("http")})
    assert world.finding("ports.ctstack-api-unreachable", V6, "tcp", 1337).result == "open-confirmed"


def test_the_ctstack_page_is_a_critical_failure():
    finding = PortWorld({("tcp", V4, 1339): spoke("ctstack-config")}).finding(
        "ports.ctstack-config-unreachable", V4, "tcp", 1339
    )
    assert (finding.result, finding.severity) == ("open-confirmed", "critical")


@BOTH
def test_udp_port_unreachable_from_the_host_is_closed_without_a_filter(address: str):
    world = PortWorld({("udp", address, 33333): udp_icmp(address, "port")})
    assert shown(world.finding("ports.tapi-panasonic-unreachable", address, "udp", 33333)) == (
        "pass",
        "closed-unfiltered",
        "confirmed",
    )


@BOTH
def test_udp_rejects_of_a_firewall_are_filtered(address: str):
    for meaning in ("port", "prohibited"):
        world = PortWorld({("udp", address, 69): udp_icmp(address, meaning, FIREWALL[address])})
        assert shown(world.finding("ports.tftp-unreachable", address, "udp", 69)) == ("pass", "filtered", "confirmed")


@BOTH
def test_udp_silence_among_rejected_canaries_is_probably_open(address: str):
    for canary in (udp_icmp(address, "port"), udp_icmp(address, "prohibited", FIREWALL[address])):
        finding = PortWorld(udp_canary={address: canary}).finding("ports.tftp-unreachable", address, "udp", 69)
        assert shown(finding) == ("fail", "open-or-filtered", "tentative")


def test_udp_garbage_is_open():
    world = PortWorld({("udp", V4, 137): answered(None)})
    assert shown(world.finding("ports.windows-services-unreachable", V4, "udp", 137)) == ("fail", "open", "confirmed")


def test_a_tftp_answer_from_another_port_counts_and_is_shown():
    finding = PortWorld({("udp", V6, 69): answered("tftp", 40123)}).finding("ports.tftp-unreachable", V6, "udp", 69)
    assert finding.result == "open-confirmed"
    assert finding.params["replied_from_port"] == 40123


def test_silence_where_access_providers_filter_is_a_weak_sign():
    finding = PortWorld().finding("ports.windows-services-unreachable", V4, "tcp", 445)
    assert shown(finding) == ("pass", "filtered", "tentative")
    assert finding.params["provider_may_filter"] is True


@pytest.mark.parametrize("meaning", ["host", "ttl"])
def test_a_router_that_cannot_deliver_says_nothing_about_the_port(meaning: str):
    world = PortWorld(
        {
            ("tcp", V4, 5060): tcp_icmp(V4, meaning, FIREWALL[V4]),
            ("udp", V4, 5060): udp_icmp(V4, meaning, FIREWALL[V4]),
        }
    )
    assert shown(world.finding(SIP, V4, "tcp", 5060))[:2] == ("inconclusive", "path-error")
    assert shown(world.finding(SIP, V4, "udp", 5060))[:2] == ("inconclusive", "path-error")


def test_excluded_ports_are_said_to_be_excluded():
    world = PortWorld(exclude_ports=(5060,))
    assert shown(world.finding(SIP, V4, "tcp", 5060))[:2] == ("inconclusive", "excluded")
    assert shown(world.finding(SIP, V6, "udp", 5060))[:2] == ("inconclusive", "excluded")


def test_a_failed_task_is_a_gap_and_no_pass():
    world = PortWorld({("tcp", V6, 5060): Failure(reason="no-route")})
    assert shown(world.finding(SIP, V6, "tcp", 5060))[:2] == ("inconclusive", "no-ipv6-here")


def test_mitai_is_judged_where_declared():
    target = Target(host="flexi.example.test", mitai_ports=(8001,))
    rule = "ports.mitai-unreachable"
    assert PortWorld(target=target).finding(rule, V4, "tcp", 8001).result == "filtered"
    world = PortWorld({("tcp", V6, 8001): ACCEPTED}, target=target)
    assert shown(world.finding(rule, V6, "tcp", 8001)) == ("fail", "open", "firm")


def test_a_backend_port_that_is_declared_as_the_web_port_is_no_leak():
    target = Target(host="flexi.example.test", https_port=4443)
    rules = {(f.rule, f.port) for f in PortWorld(target=target).findings() if f.address == V4}
    assert ("ports.backend-site-unreachable", 8080) in rules
    assert ("ports.backend-site-unreachable", 4443) not in rules
    assert ("ports.web-reachable", 4443) in rules


# --- declared ports ---

MANAGER = ("ports.telephony-manager-as-declared", 9692, "telephony-manager")
STATE = ("ports.active-state-as-declared", 13404, "active-state")
DECLARED = pytest.mark.parametrize(("rule", "port", "name"), [MANAGER, STATE])


@DECLARED
def test_declared_and_open(rule: str, port: int, name: str):
    target = Target(host="flexi.example.test", ports=(name,))
    facts = {("tcp", V4, port): TLS, ("tcp", V6, port): ACCEPTED}
    assert shown(PortWorld(facts, target=target).finding(rule, V4, "tcp", port)) == (
        "pass",
        "open-as-declared",
        "confirmed",
    )
    assert shown(PortWorld(facts, target=target).finding(rule, V6, "tcp", port))[:2] == ("pass", "open-as-declared")


@DECLARED
def test_declared_and_open_in_clear_is_noted(rule: str, port: int, name: str):
    target = Target(host="flexi.example.test", ports=(name,))
    finding = PortWorld({("tcp", V4, port): spoke(None)}, target=target).finding(rule, V4, "tcp", port)
    assert shown(finding) == ("pass", "open-in-clear", "confirmed")
    assert finding.severity == "low"


@DECLARED
@pytest.mark.parametrize("fact", [RESET, DROPPED_TCP, tcp_icmp(V4, "prohibited", FIREWALL[V4])])
def test_declared_and_not_open_fails(rule: str, port: int, name: str, fact):
    target = Target(host="flexi.example.test", ports=(name,))
    finding = PortWorld({("tcp", V4, port): fact}, target=target).finding(rule, V4, "tcp", port)
    assert (finding.verdict, finding.result) == ("fail", "declared-not-open")


@DECLARED
def test_not_declared_must_be_closed(rule: str, port: int, name: str):
    assert PortWorld().finding(rule, V6, "tcp", port).result == "filtered"
    assert shown(PortWorld({("tcp", V6, port): TLS}).finding(rule, V6, "tcp", port)) == (
        "fail",
        "open-confirmed",
        "confirmed",
    )


def test_a_server_behind_the_proxy_need_not_open_what_is_declared():
    origin = "192.0.2.77"
    target = Target(host="flexi.example.test", ports=("telephony-manager",))
    world = PortWorld(target=target, origins=(origin,))
    rule = "ports.telephony-manager-as-declared"
    assert world.finding(rule, origin, "tcp", 9692).result == "filtered"
    assert not [f for f in world.findings() if (f.rule, f.address) == ("ports.web-reachable", origin)]


WEB = "ports.web-reachable"


@BOTH
def test_web_reachable(address: str):
    assert shown(PortWorld().finding(WEB, address, "tcp", 443)) == ("pass", "open-as-declared", "confirmed")


@BOTH
def test_web_not_reachable_on_a_host_that_answers(address: str):
    closed = PortWorld({("tcp", address, 443): RESET}, control={address: (RESET,) * 3})
    assert shown(closed.finding(WEB, address, "tcp", 443))[:2] == ("fail", "declared-not-open")
    dropped = PortWorld({("tcp", address, 443): DROPPED_TCP}, control_port=80)
    assert shown(dropped.finding(WEB, address, "tcp", 443))[:2] == ("fail", "declared-not-open")


@BOTH
def test_a_dead_address_is_no_finding_about_a_port(address: str):
    dead = PortWorld(
        {("tcp", address, 443): DROPPED_TCP, ("tcp", address, 80): DROPPED_TCP},
        control={address: (DROPPED_TCP,) * 3},
    )
    results = {(f.verdict, f.result) for f in dead.findings() if f.address == address and f.rule.startswith("ports.")}
    assert results == {("inconclusive", "nothing-answers")}


def test_accepted_without_an_answer_is_left_open():
    finding = PortWorld({("tcp", V4, 443): ACCEPTED}).finding(WEB, V4, "tcp", 443)
    assert shown(finding)[:2] == ("inconclusive", "accepted-unanswered")


def test_results_are_closed_lists():
    for rule in PORT_RULES:
        assert rule.results
        assert set(rule.results.values()) <= {"holds", "violated", "cannot-tell", "not-applicable"}
    assert set(PORT_RESULTS) < set(DECLARED_RESULTS)


def test_every_rule_of_the_port_table_is_built_and_needs_what_its_rows_are():
    built = {rule.id: rule for rule in PORT_RULES}
    for row in PROFILE.ports:
        roles = {need.role for need in built[row.rule].needs}
        assert ("rtp-sweep" if row.last_port else row.transport) in roles
    entries = {entry.id for entry in PROFILE.rules if entry.id.startswith("ports.")}
    assert entries - built.keys() == {NO_UNDECLARED_PORT.id}
