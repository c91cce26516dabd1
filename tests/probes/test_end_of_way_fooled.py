"""Probe and rule together against ways that try to fool them: nothing but what is so may be said.

The routers' allowances are shared by other traffic, answers are lost by chance, and the filter stands in front of the
last router, behind it, or in the scanner's own network.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from flexiscan.model.facts import RtpSweep, UdpPath
from flexiscan.model.plan import Task
from flexiscan_probes import rtp, udp_path
from tests.policy.port_world import PortWorld
from tests.probes.router_twin import Allowance, Way, WayContext, other_traffic

V4, V6 = "192.0.2.10", "2001:db8:2::10"
BOTH = pytest.mark.parametrize("address", [V4, V6])
FIRST, LAST = 40000, 50000
UDP_PORTS = (69, 137, 161, 1434, 5060, 33333, 50797)
SEEDS = range(4)
BUSY = (0.0, 0.3, 1.0, 3.0, 12.0)
"""How often a second something else makes the last router speak."""


def path_of(way: Way) -> dict[str, Any]:
    before = way.routers - 1 if way.routers > 1 else None
    return {
        "guide_port": 443,
        "hop_limit": way.routers,
        "server_routers": way.routers,
        "before_hop_limit": before,
    }


def task(role: str, address: str, params: dict[str, Any]) -> Task:
    return Task(id=role, probe=role, host="h", role=role, address=address, transport="udp", params=params, lane=role)


async def sweep(way: Way, seed: int, sample: int = 120) -> RtpSweep:
    params = {
        "first_port": FIRST,
        "last_port": LAST,
        "excluded": [],
        "taken": list(UDP_PORTS),
        "sample": sample,
        "seed": seed,
        "path": path_of(way),
    }
    return await rtp.observe(WayContext(way, seed=seed), task("rtp-sweep", way.address, params))


async def walk(way: Way, seed: int) -> UdpPath:
    canaries = random.Random(seed).sample(range(20000, 39000), 24)
    params = {**path_of(way), "ports": list(UDP_PORTS), "canaries": canaries}
    return await udp_path.observe(WayContext(way, seed=seed), task("udp-path", way.address, params))


async def range_result(way: Way, seed: int) -> tuple[str, str]:
    world = PortWorld(sweep={way.address: await sweep(way, seed)})
    finding = world.finding("ports.rtp-unreachable", way.address, "udp")
    return finding.verdict, finding.result


async def port_results(way: Way, seed: int) -> dict[int, tuple[str, str]]:
    world = PortWorld(udp_path={way.address: await walk(way, seed)})
    rules = {33333: "ports.tapi-panasonic-unreachable", 50797: "ports.tapi-avaya-unreachable"}
    found = {port: world.finding(rule, way.address, "udp", port) for port, rule in rules.items()}
    return {port: (finding.verdict, finding.result) for port, finding in found.items()}


def way_of(address: str, seed: int, busy_per_s: float = 0.0, **changes: Any) -> Way:
    """Linux: six at once, then one a second over IPv4 and ten over IPv6."""
    chance = random.Random(f"{address}{seed}{busy_per_s}")
    allowance = Allowance(per_s=1.0 if address == V4 else 10.0, others=other_traffic(chance, busy_per_s))
    return Way(address, chance, allowance=allowance, **changes)


UNKNOWN = ("inconclusive", "no-exposure-seen")


@BOTH
async def test_a_quiet_way_is_told_as_it_is(address: str):
    assert await range_result(way_of(address, 1), 1) == ("pass", "filtered")
    hole = way_of(address, 1, allowed=lambda port: port == FIRST)
    assert await range_result(hole, 1) == ("fail", "perimeter-passes")
    whole = way_of(address, 1, allowed=lambda port: FIRST <= port <= LAST)
    assert await range_result(whole, 1) == ("fail", "perimeter-passes")
    behind = way_of(address, 1, filter_at=3)
    assert await range_result(behind, 1) == UNKNOWN
    assert set((await port_results(way_of(address, 1), 1)).values()) == {("pass", "filtered")}
    one = way_of(address, 1, allowed=lambda port: port in (33333, 5060))
    assert await port_results(one, 1) == {33333: ("fail", "perimeter-passes"), 50797: ("pass", "filtered")}
    assert set((await port_results(behind, 1)).values()) == {UNKNOWN}


@BOTH
@pytest.mark.parametrize("busy_per_s", BUSY)
async def test_a_filter_behind_the_last_router_shows_no_difference(address: str, busy_per_s: float):
    """The router answers for every port, as far as its allowance goes: chance, and no sign of anything."""
    for seed in SEEDS:
        way = way_of(address, seed, busy_per_s, filter_at=0)
        assert await range_result(way, seed) == UNKNOWN
        way = way_of(address, seed, busy_per_s, filter_at=0)
        assert set((await port_results(way, seed)).values()) == {UNKNOWN}


@BOTH
@pytest.mark.parametrize("speaks", [0.02, 0.1, 0.2, 0.35, 0.5])
async def test_a_router_that_speaks_by_chance(address: str, speaks: float):
    for seed in SEEDS:
        way = way_of(address, seed, filter_at=0, speaks=speaks)
        assert await range_result(way, seed) == UNKNOWN
        assert set((await port_results(way_of(address, seed, filter_at=0, speaks=speaks), seed)).values()) == {UNKNOWN}
        shut = way_of(address, seed, speaks=speaks)
        assert (await range_result(shut, seed))[0] != "fail"
        assert "fail" not in {verdict for verdict, _ in (await port_results(shut, seed)).values()}
        hole = way_of(address, seed, speaks=speaks, allowed=lambda port: port in (LAST, 33333))
        assert (await range_result(hole, seed))[0] != "pass"
        assert (await port_results(hole, seed))[33333][0] != "pass"


@BOTH
@pytest.mark.parametrize("busy_per_s", BUSY)
async def test_what_comes_through_is_never_called_blocked(address: str, busy_per_s: float):
    """One port of a small sample, or single ports, behind a router that others use as well."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        way = way_of(address, seed, busy_per_s, allowed=lambda port: port in (LAST, 33333))
        verdict, _ = await range_result(way, seed)
        assert verdict != "pass"
        way = way_of(address, seed, busy_per_s, allowed=lambda port: port in (LAST, 33333))
        single, _ = (await port_results(way, seed))[33333]
        assert single != "pass"
        seen.update((verdict, single))
    assert seen["fail"] or busy_per_s >= 1.0


@BOTH
@pytest.mark.parametrize("loss", [0.02, 0.05, 0.2])
async def test_losses_are_no_difference(address: str, loss: float):
    for seed in SEEDS:
        assert (await range_result(way_of(address, seed, loss=loss), seed))[0] != "fail"
        assert await range_result(way_of(address, seed, filter_at=0, loss=loss), seed) == UNKNOWN
        hole = way_of(address, seed, loss=loss, allowed=lambda port: port == LAST)
        assert (await range_result(hole, seed))[0] != "pass"


@BOTH
async def test_a_filter_on_this_side_is_not_the_servers(address: str):
    """The first hop is the scanner's own; what it drops never came to the other side."""
    own = way_of(address, 1, filter_at=1)
    assert await range_result(own, 1) == UNKNOWN
    assert set((await port_results(own, 1)).values()) == {UNKNOWN}
    two = way_of(address, 1, routers=2, filter_at=1)
    assert await range_result(two, 1) == UNKNOWN


@BOTH
async def test_a_network_that_hides_errors_about_datagrams(address: str):
    mute = way_of(address, 1, mute_to_udp=frozenset({1, 2, 3}))
    assert await range_result(mute, 1) == UNKNOWN
    assert set((await port_results(mute, 1)).values()) == {UNKNOWN}


@BOTH
async def test_answers_that_take_longer_than_a_guide_may(address: str):
    late = way_of(address, 1, rtt_s=1.2)
    assert await range_result(late, 1) == UNKNOWN
    slow = way_of(address, 1, rtt_s=0.6)
    assert await range_result(slow, 1) == ("pass", "filtered")
    assert await range_result(way_of(address, 1, filter_at=0, rtt_s=0.6), 1) == UNKNOWN
