"""Where silent packets end: what may be called blocked, and what comes through although nobody answers."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from flexiscan.model.facts import IcmpTally, PathHop, PathTrial, TcpPath, UdpPath
from flexiscan.model.failure import Failure
from flexiscan.model.icmp import IcmpError
from tests.policy.port_world import FIREWALL, V4, V6, PortWorld, canaries, icmp, shown, silent_sweep

BOTH = pytest.mark.parametrize("address", [V4, V6])
RANGE = "ports.rtp-unreachable"
PORT = ("ports.tapi-panasonic-unreachable", "udp", 33333)
INSIDE = {V4: "203.0.113.6", V6: "2001:db8:4::2"}
LIMIT = 3
UDP_PORTS = (69, 137, 161, 1434, 5060, 33333, 50797)


def expired(address: str, offender: str | None = None) -> IcmpError:
    return icmp(address, "ttl", offender or INSIDE[address])


def trial(address: str, ports: tuple[int, ...], *, came: tuple[int, ...] = (), guide: bool = True) -> PathTrial:
    answer: Literal["icmp", "silence"] = "icmp" if guide else "silence"
    hop = PathHop(hop_limit=LIMIT, answer=answer, icmp=expired(address) if guide else None)
    tallies = (IcmpTally(icmp=expired(address), ports=came),) if came else ()
    return PathTrial(hop_limit=LIMIT, ports=ports, icmp=tallies, guide=hop)


def located(address: str, **changes: Any) -> dict[str, Any]:
    """A sweep of the whole range, twice with datagrams that end at the last router."""
    quiet = trial(address, (39999, 50001))
    base: dict[str, Any] = {
        "ports_asked": 10001,
        "silent": 10001,
        "passes": 3,
        "near_hop_limit": LIMIT,
        "near_asked": 10001,
        "near_passes": 2,
        "near_canaries": (quiet, quiet),
        "near_range": (trial(address, (40000, 40001)),) * 2,
    }
    return {**base, **changes}


def judge(address: str, **changes: Any) -> tuple[str, str, str]:
    sweep = silent_sweep(**located(address, **changes))
    return shown(PortWorld(sweep={address: sweep}).finding(RANGE, address, "udp"))


@BOTH
def test_dropped_before_the_last_router_is_a_pass(address: str):
    assert judge(address) == ("pass", "filtered", "firm")


@BOTH
def test_a_sample_is_tentative_and_bounded(address: str):
    sweep = silent_sweep(**located(address, ports_asked=500, silent=500, near_asked=500))
    finding = PortWorld(sweep={address: sweep}).finding(RANGE, address, "udp")
    assert shown(finding) == ("pass", "filtered", "tentative")
    assert finding.params["bound"] == 58


@BOTH
def test_a_single_port_that_comes_through_fails(address: str):
    hole = (IcmpTally(icmp=expired(address), ports=(41234,)),)
    sweep = silent_sweep(**located(address, near_expired=hole, near_passes=1))
    finding = PortWorld(sweep={address: sweep}).finding(RANGE, address, "udp")
    assert shown(finding) == ("fail", "perimeter-passes", "firm")
    assert finding.params["ports"] == [41234]
    assert finding.params["router"] == INSIDE[address]


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"near_passes": 1},
        {"near_asked": 10000},
        {"near_passes": 0, "near_asked": 0},
        {"near_canaries": ()},
        {"near_range": ()},
    ],
    ids=str,
)
def test_less_than_two_whole_passes_prove_nothing(address: str, changes: dict[str, Any]):
    assert judge(address, **changes)[:2] == ("inconclusive", "no-exposure-seen")


@BOTH
def test_comparison_once_only_proves_nothing(address: str):
    assert judge(address, near_canaries=(trial(address, (39999,)),))[1] == "no-exposure-seen"


@BOTH
def test_a_router_that_fell_silent_proves_nothing(address: str):
    mute = (trial(address, (40000,)), trial(address, (40000,), guide=False))
    assert judge(address, near_range=mute)[1] == "no-exposure-seen"


@BOTH
def test_a_router_that_answers_for_every_port_stands_before_the_filter(address: str):
    everywhere = (trial(address, (39999, 50001), came=(39999, 50001)),) * 2
    hits = (IcmpTally(icmp=expired(address), ports=(40000, 40001)),)
    assert judge(address, near_canaries=everywhere, near_expired=hits)[1] == "no-exposure-seen"


@BOTH
def test_a_lost_control_spoils_the_location(address: str):
    world = PortWorld(
        sweep={address: silent_sweep(**located(address))}, control={address: (Failure(reason="deadline"),) * 3}
    )
    assert world.finding(RANGE, address, "udp").verdict == "inconclusive"


def port_state(address: str, path: UdpPath | Failure | None) -> tuple[str, str, str]:
    rule, transport, port = PORT
    return shown(PortWorld(udp_path={address: path}).finding(rule, address, transport, port))


def ways(address: str, *, came: tuple[int, ...] = (), canaries_came: tuple[int, ...] = (), times: int = 3) -> UdpPath:
    return UdpPath(
        ports=(trial(address, UDP_PORTS, came=came),) * times,
        canaries=(trial(address, (21000, 22000), came=canaries_came),) * times,
    )


@BOTH
def test_a_port_without_a_protocol_is_located(address: str):
    assert port_state(address, ways(address)) == ("pass", "filtered", "firm")


@BOTH
def test_a_port_that_comes_through_to_a_silent_host(address: str):
    assert port_state(address, ways(address, came=(33333,))) == ("fail", "perimeter-passes", "firm")


@BOTH
def test_another_port_that_comes_through_may_have_used_the_allowance(address: str):
    assert port_state(address, ways(address, came=(5060,)))[1] == "no-exposure-seen"


@BOTH
@pytest.mark.parametrize("times", [0, 1])
def test_too_few_trials(address: str, times: int):
    assert port_state(address, ways(address, times=times))[1] == "no-exposure-seen"


@BOTH
def test_canaries_that_come_through_too(address: str):
    assert port_state(address, ways(address, came=(33333,), canaries_came=(21000,)))[1] == "no-exposure-seen"


@BOTH
def test_a_walk_that_failed_is_a_gap(address: str):
    assert port_state(address, Failure(reason="deadline"))[:2] == ("inconclusive", "deadline")


def way(address: str, *, distance: int = 4, reply: int | None = 61) -> TcpPath:
    steps = [PathHop(hop_limit=n, answer="icmp", icmp=expired(address)) for n in range(1, distance)]
    return TcpPath(port=443, hops=(*steps, PathHop(hop_limit=distance, answer="accepted")), reply_hop_limit=reply)


def who(address: str, hop_limit: int | None, path: TcpPath | None, *, outside: bool = True) -> tuple[str, str, str]:
    error = icmp(address, "port").model_copy(update={"hop_limit": hop_limit})
    sweep = silent_sweep(
        icmp=(IcmpTally(icmp=error, ports=tuple(range(40000, 40500))),),
        silent=0,
        canaries=canaries("icmp", error) if outside else canaries("silence"),
    )
    return shown(PortWorld(sweep={address: sweep}, tcp_path={address: path}).finding(RANGE, address, "udp"))


@BOTH
def test_port_unreachable_at_the_servers_own_distance(address: str):
    assert who(address, 61, way(address)) == ("fail", "perimeter-passes", "firm")
    assert who(address, 125, way(address)) == ("fail", "perimeter-passes", "firm")  # another initial hop limit


@BOTH
def test_an_edge_device_with_the_address_of_the_server(address: str):
    assert who(address, 63, way(address)) == ("pass", "filtered", "tentative")


@BOTH
def test_a_nearer_machine_that_the_range_alone_is_forwarded_to(address: str):
    assert who(address, 63, way(address), outside=False)[:2] == ("fail", "perimeter-passes")


@BOTH
@pytest.mark.parametrize(
    ("hop_limit", "path"),
    [
        (None, way(V4)),
        (63, way(V4, reply=None)),
        (63, way(V4, reply=60)),  # the way back is longer than the way there: distances say nothing
        (60, way(V4)),  # farther away than the server
        (63, TcpPath(port=443)),
    ],
    ids=str,
)
def test_without_sound_distances_the_answer_counts_as_the_servers(address: str, hop_limit: int | None, path: TcpPath):
    assert who(address, hop_limit, path) == ("fail", "perimeter-passes", "tentative")


def test_a_sweep_cut_short_by_an_error_of_judgement_is_no_pass():
    error = icmp(V4, "port").model_copy(update={"hop_limit": 63})
    tally = IcmpTally(icmp=error, ports=(40000, 40001))
    sweep = silent_sweep(icmp=(tally,), silent=0, ports_asked=2, stopped="decided", canaries=canaries("icmp", error))
    finding = PortWorld(sweep={V4: sweep}, tcp_path={V4: way(V4)}).finding(RANGE, V4, "udp")
    assert shown(finding)[:2] == ("inconclusive", "no-exposure-seen")


@BOTH
def test_an_icmp_limit_is_named(address: str):
    tally = IcmpTally(icmp=icmp(address, "prohibited", FIREWALL[address]), ports=tuple(range(40000, 40020)))
    limited = silent_sweep(
        icmp=(tally,), silent=480, sent_by_second=(200, 200, 200, 200), errors_by_second=(6, 1, 1, 1)
    )
    finding = PortWorld(sweep={address: limited}).finding(RANGE, address, "udp")
    assert shown(finding)[:2] == ("inconclusive", "no-exposure-seen")
    assert finding.params["icmp_per_s"] == 1
