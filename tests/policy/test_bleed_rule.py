"""Trials on an agreed test call: what they add to the finding about the media range, and what they never take away."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import BleedTrial, IcmpTally, MediaSeen, VoiceStream
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from tests.policy.port_world import FIREWALL, V4, V6, PortWorld, icmp, shown, silent_sweep

RULE = "ports.rtp-unreachable"
PORT = 40100
BOTH = pytest.mark.parametrize("address", [V4, V6])


def stream(packets: int = 25, **changes: object) -> VoiceStream:
    usual = {"ssrc": 0xCAFE, "payload_type": 8, "packets": packets, "rising": packets - 1, "mean_gap_ms": 20.1}
    return VoiceStream.model_validate({**usual, **changes})


def trial(*streams: VoiceStream, **changes: object) -> BleedTrial:
    return BleedTrial.model_validate({"sent": 5, "ssrc": 7, "waited_s": 2.1, "streams": streams, **changes})


def judged(address: str, *trials: BleedTrial | Failure, **world: object) -> Finding:
    tried = {(address, PORT + 2 * number): fact for number, fact in enumerate(trials)}
    return PortWorld(bleed=tried, **world).finding(RULE, address, "udp")  # type: ignore[arg-type]


def filtered(address: str):
    """A whole range that a firewall rejects: a pass."""
    tally = IcmpTally(icmp=icmp(address, "prohibited", FIREWALL[address]), ports=tuple(range(40000, 50001)))
    return {address: silent_sweep(icmp=(tally,), silent=0, ports_asked=10001)}


@BOTH
def test_a_voice_stream_outranks_everything(address: str):
    finding = judged(address, trial(), trial(stream(), sent=1), sweep=filtered(address))
    assert shown(finding) == ("fail", "media-redirectable", "confirmed")
    assert (finding.severity, finding.params["port"], finding.params["payload_type"]) == ("critical", PORT + 2, 8)
    assert (finding.params["voice_packets"], finding.params["gap_ms"], finding.params["ssrc"]) == (25, 20.1, "0000cafe")
    assert len(finding.because) == 1
    assert "/40102/" in finding.because[0]


@pytest.mark.parametrize(
    "odd",
    [
        stream(2),
        stream(rising=1),
        stream(mean_gap_ms=0.1),
        stream(mean_gap_ms=400.0),
        stream(1, mean_gap_ms=None),
    ],
    ids=["two", "disordered", "burst", "slow", "one"],
)
def test_voice_that_is_no_steady_stream_is_voice_all_the_same(odd: VoiceStream):
    finding = judged(V4, trial(odd))
    assert shown(finding) == ("fail", "media-received", "confirmed")
    assert finding.severity == "critical"


def test_three_packets_are_a_stream():
    assert judged(V4, trial(stream(3))).result == "media-redirectable"


@BOTH
def test_reports_and_other_data_are_no_voice(address: str):
    assert shown(judged(address, trial(rtcp_packets=1)))[:2] == ("fail", "reports-received")
    assert shown(judged(address, trial(other_packets=2)))[:2] == ("fail", "open")


@BOTH
def test_silence_is_a_note_and_never_a_pass(address: str):
    finding = judged(address, trial(), trial())
    assert shown(finding) == ("inconclusive", "no-exposure-seen", "tentative")
    assert finding.params["not_redirected"] == [PORT, PORT + 2]


@BOTH
def test_silence_leaves_a_pass_and_a_failure_as_they_are(address: str):
    assert shown(judged(address, trial(), sweep=filtered(address))) == ("pass", "filtered", "firm")
    passing = IcmpTally(icmp=icmp(address, "port"), ports=(40000,))
    assert judged(address, trial(), sweep={address: silent_sweep(icmp=(passing,), silent=499)}).verdict == "fail"
    media = (MediaSeen(port=40002, packets=3, payload_type=8, ssrc=1),)
    finding = judged(address, trial(), sweep={address: silent_sweep(media=media, stopped="media-seen")})
    assert finding.result == "media-received"
    assert "not_redirected" not in finding.params


@BOTH
def test_an_error_of_the_server_itself_about_the_port_is_a_way_through(address: str):
    through = trial(icmp=icmp(address, "port"))
    assert shown(judged(address, through, sweep=filtered(address))) == ("fail", "perimeter-passes", "tentative")
    by_firewall = trial(icmp=icmp(address, "prohibited", FIREWALL[address]))
    assert judged(address, by_firewall, sweep=filtered(address)).verdict == "pass"


def test_a_trial_that_could_not_be_made_leaves_no_pass():
    finding = judged(V4, Failure(reason="outside-window"), sweep=filtered(V4))
    assert (finding.verdict, finding.result) == ("inconclusive", "outside-window")


def test_the_families_are_two_calls():
    world = PortWorld(bleed={(V4, PORT): trial(stream())})
    assert world.finding(RULE, V4, "udp").result == "media-redirectable"
    other = PortWorld(bleed={(V4, PORT): trial(stream())})
    assert other.finding(RULE, V6, "udp").result == "no-exposure-seen"
