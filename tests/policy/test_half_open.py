"""Half-open SYNs beside connects: evidence where they agree, an open question where they contradict."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import Fact, TcpExchange
from flexiscan.model.facts_raw import SynAnswer, SynProbe
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from tests.policy.port_world import ACCEPTED, DROPPED_TCP, FIREWALL, RESET, V4, PortWorld, icmp, spoke, tcp_icmp

CORBA = "ports.oip-corba-unreachable"
PORT = 2809
HALF_OPEN = f"tcp-raw/{V4}/tcp/{PORT}/40.0"
CONNECT = f"tcp/{V4}/tcp/{PORT}/10.0"


def probe(*answers: str, meaning: str = "prohibited") -> SynProbe:
    kept = [
        SynAnswer(
            answer=answer,
            hop_limit=62,
            after_s=0.01,
            icmp=icmp(V4, meaning, FIREWALL[V4]) if answer == "icmp" else None,
        )
        for answer in answers
    ]
    return SynProbe(answers=tuple(kept), tries=1 if kept else 5)


def judged(connect: TcpExchange, half_open: Fact | Failure | None, **more: object) -> Finding:
    facts = {("tcp", V4, PORT): connect}
    world = PortWorld(facts=facts, half_open={(V4, PORT): half_open}, **more)  # type: ignore[arg-type]
    return world.finding(CORBA, V4, "tcp", PORT)


def verdict(finding: Finding) -> tuple[str, str]:
    return finding.verdict, finding.result


AGREEING = [
    (ACCEPTED, probe("accepted")),
    (spoke("giop"), probe("accepted", "accepted")),
    (RESET, probe("reset")),
    (DROPPED_TCP, probe()),
    (tcp_icmp(V4, "prohibited", FIREWALL[V4]), probe("icmp")),
    (tcp_icmp(V4, "prohibited", FIREWALL[V4]), probe()),
    (DROPPED_TCP, probe("icmp")),
    (tcp_icmp(V4, "host", FIREWALL[V4]), probe("icmp", meaning="host")),
]


@pytest.mark.parametrize(("connect", "half_open"), AGREEING)
def test_where_they_agree_only_the_evidence_grows(connect: TcpExchange, half_open: SynProbe):
    without, with_raw = judged(connect, None), judged(connect, half_open)
    assert verdict(with_raw) == verdict(without)
    assert with_raw.confidence == without.confidence
    assert with_raw.params == without.params
    assert set(with_raw.because) == {*without.because, HALF_OPEN}


CONTRADICTING = [
    (ACCEPTED, probe("reset")),
    (ACCEPTED, probe("icmp")),
    (ACCEPTED, probe("reset", "accepted")),
    (RESET, probe("accepted")),
    (RESET, probe("icmp")),
    (DROPPED_TCP, probe("accepted")),
    (DROPPED_TCP, probe("reset")),
    (DROPPED_TCP, probe("icmp", meaning="host")),
    (tcp_icmp(V4, "prohibited", FIREWALL[V4]), probe("accepted")),
]


@pytest.mark.parametrize(("connect", "half_open"), CONTRADICTING)
def test_where_they_contradict_the_question_stays_open(connect: TcpExchange, half_open: SynProbe):
    finding = judged(connect, half_open)
    assert verdict(finding) == ("inconclusive", "half-open-disagrees")
    assert finding.params == {"connect": connect.connect, "half_open": half_open.state}
    assert set(finding.because) == {CONNECT, HALF_OPEN}


@pytest.mark.parametrize("connect", [ACCEPTED, RESET])
def test_silence_takes_no_answer_back_but_is_shown(connect: TcpExchange):
    without, finding = judged(connect, None), judged(connect, probe())
    assert verdict(finding) == verdict(without)
    assert finding.params["half_open"] == "silence"


def test_a_service_that_spoke_was_there():
    finding = judged(spoke("giop"), probe("reset"))
    assert verdict(finding) == ("fail", "open-confirmed")
    assert (finding.params["connect"], finding.params["half_open"]) == ("accepted", "reset")


def test_a_failed_probe_leaves_the_judgement_as_it_is():
    finding = judged(DROPPED_TCP, Failure(reason="worker-died"))
    assert verdict(finding) == ("pass", "filtered")
    assert finding.because == judged(DROPPED_TCP, None).because


def test_a_control_lost_around_the_half_open_probe_alone_changes_nothing():
    """The connects have controls of their own around them, and they judge."""
    assert verdict(judged(DROPPED_TCP, probe(), half_open_span_s=(290.0, 400.0))) == ("pass", "filtered")
