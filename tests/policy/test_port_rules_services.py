"""What follow-up questions add to the state of a port: a name, never an excuse."""

from __future__ import annotations

import pytest

from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.rule import Ground
from flexiscan.policy.rules.ports import PORT_RULES
from flexiscan.policy.selection import Selection, wanted_tasks
from flexiscan.policy.vantage import is_translated
from tests.policy.port_world import (
    ACCEPTED,
    DROPPED_TCP,
    PROFILE,
    RESET,
    TLS,
    V4,
    V6,
    PortWorld,
    answered,
    shown,
    spoke,
)

BOTH = pytest.mark.parametrize("address", [V4, V6])
CONNECTOR = "ports.exchange-connector-unreachable"
MANAGEMENT = "ports.proxy-management-unreachable"
DATABASE = "ports.database-unreachable"
SIP = "ports.sip-unreachable"


def inside(service: str | None) -> TcpExchange:
    if service is None:
        return TcpExchange(connect="accepted", inside_tls=True)
    return TcpExchange(connect="accepted", reply="data", service=service, data_size=1, inside_tls=True)


# --- the name of the service ---


@BOTH
def test_a_guess_names_what_speaks_on_a_port_without_a_public_protocol(address: str):
    facts = {("tcp", address, 13317): ACCEPTED}
    world = PortWorld(facts, more=(("tcp-service", address, "tcp", 13317, TLS),))
    finding = world.finding(CONNECTOR, address, "tcp", 13317)
    assert shown(finding) == ("fail", "open-confirmed", "confirmed")
    assert finding.params["service"] == "tls"
    assert len(finding.because) == 2


@BOTH
def test_the_most_particular_answer_is_the_name(address: str):
    more = (("tcp-service", address, "tcp", 8443, inside("loadmaster")),)
    finding = PortWorld({("tcp", address, 8443): TLS}, more=more).finding(MANAGEMENT, address, "tcp", 8443)
    assert shown(finding) == ("fail", "open-confirmed", "confirmed")
    assert finding.params["service"] == "loadmaster"


def test_sip_inside_tls_is_sip():
    more = (("tcp-service", V4, "tcp", 5061, inside("sip")),)
    finding = PortWorld({("tcp", V4, 5061): TLS}, more=more).finding(SIP, V4, "tcp", 5061)
    assert (finding.result, finding.params["service"]) == ("open-confirmed", "sip")


@pytest.mark.parametrize("answer", [inside(None), RESET, DROPPED_TCP, Failure(reason="deadline")])
def test_a_follow_up_that_brings_nothing_takes_nothing_away(answer: TcpExchange | Failure):
    more = (("tcp-service", V4, "tcp", 5061, answer), ("tcp-service", V4, "tcp", 13317, answer))
    world = PortWorld({("tcp", V4, 5061): TLS, ("tcp", V4, 13317): ACCEPTED}, more=more)
    finding = world.finding(SIP, V4, "tcp", 5061)
    assert (finding.result, finding.params["service"]) == ("open-confirmed", "tls")
    assert shown(world.finding(CONNECTOR, V4, "tcp", 13317)) == ("fail", "open", "firm")


@pytest.mark.parametrize(
    ("port", "rule", "service"), [(5060, SIP, "http"), (2809, "ports.oip-corba-unreachable", "tls")]
)
def test_another_protocol_on_the_port_is_open_but_not_the_service_asked_for(port: int, rule: str, service: str):
    finding = PortWorld({("tcp", V4, port): spoke(service)}).finding(rule, V4, "tcp", port)
    assert shown(finding)[:2] == ("fail", "open")
    assert finding.params["service"] == service


def test_an_echo_is_open_and_nameless():
    world = PortWorld({("tcp", V4, 5060): spoke(None), ("udp", V4, 5060): answered(None)})
    for transport in ("tcp", "udp"):
        finding = world.finding(SIP, V4, transport, 5060)
        assert shown(finding)[:2] == ("fail", "open")
        assert "service" not in finding.params


def test_a_second_question_names_an_unknown_udp_answer():
    stun = UdpExchange(reply="data", service="stun", data_size=20)
    more = (("udp-service", V4, "udp", 50797, stun),)
    finding = PortWorld({("udp", V4, 50797): answered(None)}, more=more).finding(
        "ports.tapi-avaya-unreachable", V4, "udp", 50797
    )
    assert finding.params["service"] == "stun"
    assert finding.verdict == "fail"


# --- devices that speak on every port ---


@BOTH
@pytest.mark.parametrize("canary", ["tls", "http"])
@pytest.mark.parametrize("port", ["tls", "http"])
def test_a_device_that_speaks_tls_or_http_on_every_port(address: str, canary: str, port: str):
    """It may speak the one to one question and the other to another: both are common."""
    question = {"tls": (4443, TLS), "http": (8080, spoke("http"))}[port]
    world = PortWorld({("tcp", address, question[0]): question[1]}, tcp_canary={address: spoke(canary)})
    finding = world.finding("ports.backend-site-unreachable", address, "tcp", question[0])
    assert shown(finding)[:2] == ("inconclusive", "everything-answers")


def test_canaries_that_answer_the_follow_up_alike():
    canaries = tuple(("tcp-canary-service", V4, "tcp", port, TLS) for port in (21001, 21002))
    world = PortWorld(
        {("tcp", V4, 13317): ACCEPTED},
        tcp_canary={V4: ACCEPTED},
        more=(("tcp-service", V4, "tcp", 13317, TLS), *canaries),
    )
    assert shown(world.finding(CONNECTOR, V4, "tcp", 13317))[:2] == ("inconclusive", "everything-answers")


def test_one_canary_counts_once_however_often_it_was_asked():
    more = (
        ("tcp-service", V4, "tcp", 13317, TLS),
        ("tcp-canary-service", V4, "tcp", 21001, TLS),
    )
    world = PortWorld({("tcp", V4, 13317): ACCEPTED, ("tcp-canary", V4, 21001): ACCEPTED}, more=more)
    assert world.finding(CONNECTOR, V4, "tcp", 13317).result == "open-confirmed"


def test_a_service_of_its_own_inside_tls_is_not_hidden_by_a_device_that_speaks_tls_everywhere():
    more = (("tcp-service", V4, "tcp", 8443, inside("loadmaster")),)
    world = PortWorld({("tcp", V4, 8443): TLS}, tcp_canary={V4: TLS}, more=more)
    assert world.finding(MANAGEMENT, V4, "tcp", 8443).result == "open-confirmed"


# --- declared ports ---


@pytest.mark.parametrize(
    ("more", "result"),
    [
        (spoke("http"), "open-in-clear"),
        (TLS, "open-as-declared"),
        (inside("http"), "open-as-declared"),
    ],
)
def test_a_declared_port_is_in_clear_only_where_it_spoke_in_clear(more: TcpExchange, result: str):
    target = Target(host="flexi.example.test", ports=("telephony-manager",))
    world = PortWorld({("tcp", V4, 9692): ACCEPTED}, more=(("tcp-service", V4, "tcp", 9692, more),), target=target)
    finding = world.finding("ports.telephony-manager-as-declared", V4, "tcp", 9692)
    assert shown(finding)[:2] == ("pass", result)


# --- ports that SQL Server Browser names ---


def browser(*ports: int) -> UdpExchange:
    return UdpExchange(reply="data", service="sql-browser", data_hex="05", data_size=1, tcp_ports=ports)


@BOTH
def test_a_listed_port_is_judged_at_the_address_that_listed_it(address: str):
    tds = TcpExchange(connect="accepted", reply="data", service="tds", data_size=1)
    world = PortWorld({("udp", address, 1434): browser(51433)}, more=(("tcp", address, "tcp", 51433, tds),))
    findings = [f for f in world.findings() if f.rule == DATABASE and f.port == 51433]
    assert [(f.address, *shown(f)) for f in findings] == [(address, "fail", "open-confirmed", "confirmed")]
    listing = world.finding(DATABASE, address, "udp", 1434)
    assert listing.result == "open-confirmed"
    assert listing.params["listed_ports"] == [51433]


def test_a_listed_port_that_is_dropped_passes():
    world = PortWorld({("udp", V4, 1434): browser(51433)}, more=(("tcp", V4, "tcp", 51433, DROPPED_TCP),))
    assert shown(world.finding(DATABASE, V4, "tcp", 51433))[:2] == ("pass", "filtered")


def test_a_listed_port_that_was_never_asked_passes_nothing():
    world = PortWorld({("udp", V4, 1434): browser(51433)})
    assert shown(world.finding(DATABASE, V4, "tcp", 51433))[:2] == ("inconclusive", "not-looked-at")


def test_an_excluded_listed_port_is_left_alone():
    world = PortWorld({("udp", V4, 1434): browser(51433)}, exclude_ports=(51433,))
    assert shown(world.finding(DATABASE, V4, "tcp", 51433))[0] in ("inconclusive", "not_checked")


def test_a_list_of_ports_that_others_judge_makes_no_second_finding():
    world = PortWorld({("udp", V4, 1434): browser(80, 443, 1433, 3389, 8443)})
    ports = [f.port for f in world.findings() if f.rule == DATABASE and f.address == V4 and f.transport == "tcp"]
    assert ports == [1433]


def test_listed_ports_are_asked_when_only_their_rule_is_selected():
    target = Target(host="flexi.example.test")
    scope = Scope(authorisation=Authorisation(authorised_by="test"), targets=(target,))
    addresses = tuple(TargetAddress(address=address, family=family_of(address)) for address in (V4, V6))
    ground = Ground(target, scope, PROFILE, addresses, "quick", {}, {V4: (51433,)})

    def is_wanted(only: str, address: str) -> bool:
        task = Task(
            id="x",
            probe="tcp.connect",
            host=target.host,
            role="tcp",
            address=address,
            transport="tcp",
            port=51433,
            lane="x",
        )
        return wanted_tasks(PORT_RULES, Selection(only=(only,)), ground).includes(task)

    assert is_wanted(DATABASE, V4)
    assert not is_wanted(DATABASE, V6)  # another machine may stand there
    assert not is_wanted(SIP, V4)


# --- TFTP through a translation ---

TFTP = "ports.tftp-unreachable"


@pytest.mark.parametrize("source", ["10.0.0.7", "172.20.1.1", "192.168.1.20", "100.64.3.4"])
def test_silence_of_tftp_behind_a_translation_proves_nothing(source: str):
    """Its answer comes from a new port, which the translation does not know."""
    finding = PortWorld(sources={"ipv4": source}).finding(TFTP, V4, "udp", 69)
    assert shown(finding) == ("inconclusive", "no-exposure-seen", "tentative")
    open_port = PortWorld({("udp", V4, 69): answered("tftp", 50123)}, sources={"ipv4": source})
    assert open_port.finding(TFTP, V4, "udp", 69).result == "open-confirmed"


def test_silence_of_tftp_to_a_public_source_still_counts():
    world = PortWorld(sources={"ipv4": "203.0.113.9", "ipv6": "fd00::7"})
    assert shown(world.finding(TFTP, V4, "udp", 69)) == ("pass", "filtered", "tentative")
    assert world.finding(TFTP, V6, "udp", 69).result == "no-exposure-seen"
    assert shown(world.finding(SIP, V6, "udp", 5060))[0] == "pass"  # answers from the port that was asked


@pytest.mark.parametrize(
    ("source", "target", "translated"),
    [
        ("10.0.0.7", "192.0.2.1", True),
        ("10.0.0.7", "192.168.3.4", False),  # within private networks
        ("127.0.0.1", "127.0.0.1", False),
        ("8.8.8.8", "9.9.9.9", False),
        (None, "9.9.9.9", False),
        ("fd00::1", "2001:db8::1", True),
        ("2001:db8::2", "2001:db8::1", False),
    ],
)
def test_who_is_translated(source: str | None, target: str, translated: bool):
    assert is_translated(source, target) is translated
