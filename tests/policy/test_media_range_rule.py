"""The media range: what a sweep may and may not prove."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts import BleedTrial, IcmpTally, MediaSeen, VoiceStream
from flexiscan.model.facts_sources import OwnSourcesUse
from flexiscan.model.failure import Failure
from flexiscan.policy.ports.coverage import exposed_bound
from flexiscan.policy.ports.media_range import RANGE_RESULTS
from tests.policy.port_world import FIREWALL, V4, V6, PortWorld, canaries, icmp, shown, silent_sweep

RULE = "ports.rtp-unreachable"
BOTH = pytest.mark.parametrize("address", [V4, V6])
SEEN: set[str] = set()


def judge(address: str, outcome: object) -> tuple[str, str, str]:
    finding = PortWorld(sweep={address: outcome}).finding(RULE, address, "udp")  # type: ignore[dict-item]
    SEEN.add(finding.result)
    return shown(finding)


def rejected(address: str, ports: int, **changes: object):
    tally = IcmpTally(icmp=icmp(address, "prohibited", FIREWALL[address]), ports=tuple(range(40000, 40000 + ports)))
    return silent_sweep(icmp=(tally,), silent=500 - ports, **changes)


@BOTH
def test_silence_like_the_canaries_is_no_proof(address: str):
    assert judge(address, silent_sweep()) == ("inconclusive", "no-exposure-seen", "tentative")


@BOTH
def test_media_is_critical(address: str):
    media = (MediaSeen(port=40002, packets=3, payload_type=8, ssrc=1),)
    finding = PortWorld(sweep={address: silent_sweep(media=media, stopped="media-seen", ports_asked=7)}).finding(
        RULE, address, "udp"
    )
    SEEN.add(finding.result)
    assert shown(finding) == ("fail", "media-received", "confirmed")
    assert finding.severity == "critical"
    assert finding.params["media"] == [{"port": 40002, "packets": 3, "payload_type": 8, "ssrc": 1}]


@BOTH
def test_reports_of_a_call_are_told_from_its_voice(address: str):
    report = MediaSeen(port=40003, packets=1, payload_type=200, ssrc=1)
    voice = MediaSeen(port=40002, packets=1, payload_type=8, ssrc=2)
    assert judge(address, silent_sweep(media=(report,), stopped="media-seen"))[:2] == ("fail", "reports-received")
    assert judge(address, silent_sweep(media=(report, voice), stopped="media-seen"))[:2] == ("fail", "media-received")


@BOTH
def test_voice_of_an_agreed_call_is_critical(address: str):
    stream = VoiceStream(ssrc=1, payload_type=8, packets=25, rising=24, mean_gap_ms=20.0)
    trial = BleedTrial(sent=1, ssrc=2, waited_s=0.5, streams=(stream,))
    finding = PortWorld(bleed={(address, 40100): trial}).finding(RULE, address, "udp")
    SEEN.add(finding.result)
    assert shown(finding) == ("fail", "media-redirectable", "confirmed")
    assert finding.severity == "critical"


@BOTH
def test_data_is_open(address: str):
    assert judge(address, silent_sweep(data_ports=(40500,))) == ("fail", "open", "confirmed")


def test_data_from_the_canaries_too_is_something_in_between():
    outcome = silent_sweep(data_ports=(40500,), canaries=canaries("data"))
    assert judge(V4, outcome)[:2] == ("inconclusive", "everything-answers")


@BOTH
def test_port_unreachable_from_the_server_passes_the_perimeter(address: str):
    tally = IcmpTally(icmp=icmp(address, "port"), ports=(40000, 40001, 49999))
    finding = PortWorld(sweep={address: silent_sweep(icmp=(tally,), silent=497)}).finding(RULE, address, "udp")
    SEEN.add(finding.result)
    assert shown(finding) == ("fail", "perimeter-passes", "tentative")
    assert finding.severity == "high"
    assert finding.params["ports"] == [40000, 40001, 49999]


def test_one_hole_in_a_rejecting_firewall_is_enough():
    hole = IcmpTally(icmp=icmp(V4, "port"), ports=(41234,))
    wall = IcmpTally(icmp=icmp(V4, "prohibited", FIREWALL[V4]), ports=tuple(range(42000, 42499)))
    assert judge(V4, silent_sweep(icmp=(wall, hole), silent=0))[:2] == ("fail", "perimeter-passes")


@BOTH
@pytest.mark.parametrize("meaning", ["prohibited", "port"])
def test_a_firewall_that_rejects_every_port_of_the_sample(address: str, meaning: str):
    tally = IcmpTally(icmp=icmp(address, meaning, FIREWALL[address]), ports=tuple(range(40000, 40500)))
    finding = PortWorld(sweep={address: silent_sweep(icmp=(tally,), silent=0)}).finding(RULE, address, "udp")
    SEEN.add(finding.result)
    assert shown(finding) == ("pass", "filtered", "tentative")
    assert finding.params["bound"] == 58


@BOTH
def test_an_icmp_limit_leaves_the_rest_unknown(address: str):
    outcome = rejected(address, 14)
    finding = PortWorld(sweep={address: outcome}).finding(RULE, address, "udp")
    assert shown(finding)[:2] == ("inconclusive", "no-exposure-seen")
    assert finding.params["bound"] > 1500  # only what answered counts


@BOTH
def test_a_silent_hole_among_rejected_ports(address: str):
    error = icmp(address, "prohibited", FIREWALL[address])
    clear = {"canaries": canaries("icmp", error), "canaries_after": canaries("icmp", error)}
    assert judge(address, rejected(address, 499, passes=8, **clear)) == ("fail", "open-or-filtered", "tentative")
    assert judge(address, rejected(address, 499, passes=7, **clear))[1] == "no-exposure-seen"
    lost = {"canaries": canaries("icmp", error), "canaries_after": canaries("silence")}
    assert judge(address, rejected(address, 499, passes=8, **lost))[1] == "no-exposure-seen"


@BOTH
def test_a_silent_range_among_unreachable_canaries(address: str):
    for error in (icmp(address, "port"), icmp(address, "prohibited", FIREWALL[address])):
        clear = silent_sweep(canaries=canaries("icmp", error), canaries_after=canaries("icmp", error))
        assert judge(address, clear) == ("fail", "open-or-filtered", "tentative")


def test_canaries_that_fell_silent_during_the_sweep_prove_nothing():
    error = icmp(V4, "port")
    outcome = silent_sweep(canaries=canaries("icmp", error), canaries_after=canaries("silence"))
    assert judge(V4, outcome)[:2] == ("inconclusive", "canaries-disagree")


def test_few_answering_canaries_prove_nothing():
    mixed = (*canaries("icmp", icmp(V4, "port"))[:2], *canaries("silence")[2:])
    assert judge(V4, silent_sweep(canaries=mixed, canaries_after=mixed[:2]))[1] == "canaries-disagree"


def test_a_router_that_cannot_deliver():
    tally = IcmpTally(icmp=icmp(V6, "host", FIREWALL[V6]), ports=(40000,))
    assert judge(V6, silent_sweep(icmp=(tally,), silent=499))[:2] == ("inconclusive", "path-error")


def test_refused_by_our_own_system_half_way():
    assert judge(V4, rejected(V4, 20, stopped="send-refused"))[:2] == ("inconclusive", "send-refused")
    tally = IcmpTally(icmp=icmp(V4, "port"), ports=(40000,))
    assert judge(V4, silent_sweep(icmp=(tally,), stopped="send-refused"))[1] == "perimeter-passes"


def own(state: str, **changes: object) -> OwnSourcesUse:
    again = {"again_asked": 64, "again_answered": 64, "passes": 3}
    return OwnSourcesUse(prefix="2001:db8:6::/64", state=state, **{**again, **changes})


def half_silent(answered: int = 250, **changes: object):
    error = icmp(V6, "prohibited", FIREWALL[V6])
    clear = {"canaries": canaries("icmp", error), "canaries_after": canaries("icmp", error), "passes": 3}
    return rejected(V6, answered, **{**clear, **changes})


def test_silence_tells_where_no_limit_can_bite():
    assert judge(V6, half_silent())[:2] == ("inconclusive", "no-exposure-seen")
    assert judge(V6, half_silent(own_sources=own("used"))) == ("fail", "open-or-filtered", "tentative")
    assert judge(V6, half_silent(own_sources=own("used", passes=2)))[1] == "no-exposure-seen"


@pytest.mark.parametrize("state", ["no-control", "not-routed-back", "refused-here"])
def test_a_prefix_that_was_not_used_adds_nothing(state: str):
    assert judge(V6, half_silent(own_sources=own(state)))[:2] == ("inconclusive", "no-exposure-seen")
    assert judge(V6, silent_sweep(own_sources=own(state)))[:2] == ("inconclusive", "no-exposure-seen")


def test_a_limit_over_all_sources_together_leaves_silence_without_meaning():
    for answered in (0, 33, 40, 58):
        some = half_silent(499, own_sources=own("used", again_answered=answered))
        assert judge(V6, some)[1] == "no-exposure-seen", answered
    few = half_silent(own_sources=own("used", again_asked=19, again_answered=19))
    assert judge(V6, few)[1] == "no-exposure-seen"


def test_silence_towards_a_prefix_whose_controls_were_lost_proves_nothing():
    error = icmp(V6, "prohibited", FIREWALL[V6])
    clear = {"canaries": canaries("icmp", error), "canaries_after": canaries("icmp", error)}
    lost = own("lost")
    assert judge(V6, half_silent(own_sources=lost))[:2] == ("inconclusive", "sources-lost")
    assert judge(V6, silent_sweep(own_sources=lost, **clear))[:2] == ("inconclusive", "sources-lost")
    assert judge(V6, silent_sweep(own_sources=lost))[:2] == ("inconclusive", "sources-lost")


def test_answers_to_a_prefix_count_even_when_its_controls_were_lost_later():
    tally = IcmpTally(icmp=icmp(V6, "port"), ports=(40000,))
    assert judge(V6, silent_sweep(icmp=(tally,), own_sources=own("lost")))[1] == "perimeter-passes"
    assert judge(V6, rejected(V6, 500, own_sources=own("lost")))[:2] == ("pass", "filtered")


@BOTH
def test_refused_by_nobody_knows_whom(address: str):
    outcome = silent_sweep(refused_ports=tuple(range(40000, 40500)), silent=0, canaries=canaries("refused"))
    assert judge(address, outcome) == ("inconclusive", "limited-vantage", "tentative")


def test_no_sweep_is_a_gap():
    finding = PortWorld(sweep={V4: Failure(reason="deadline")}).finding(RULE, V4, "udp")
    assert shown(finding)[:2] == ("inconclusive", "deadline")
    SEEN.add("not-looked-at")


def test_every_result_was_seen():
    assert set(RANGE_RESULTS) == SEEN


@pytest.mark.parametrize(
    ("asked", "bound"), [(300, 97), (500, 58), (1000, 28), (2000, 13), (3000, 8), (5000, 4), (8000, 1), (10001, 0)]
)
def test_bound_of_the_media_range(asked: int, bound: int):
    assert exposed_bound(10001, asked) == bound


@given(population=st.integers(1, 60), data=st.data())
def test_bound_is_what_the_hypergeometric_distribution_says(population: int, data: st.DataObject):
    asked = data.draw(st.integers(0, population))
    bound = exposed_bound(population, asked)

    def missed(exposed: int) -> float:
        return comb(population - exposed, asked) / comb(population, asked)

    assert missed(bound) >= 0.05 - 1e-12
    assert bound == population or missed(bound + 1) < 0.05 + 1e-12


def test_more_answers_than_ports_is_an_error():
    with pytest.raises(ValueError, match="cannot have been asked"):
        exposed_bound(10, 11)
